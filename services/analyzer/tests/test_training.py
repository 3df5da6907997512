"""Training of the language model from a folder of snippets."""

import msgspec

from services.analyzer import languages
from services.analyzer.evaluation import training
from services.analyzer.evaluation.scoring import load


def snippets(folder):
    """Ten snippets of a language with a name, of one without, and of prose."""
    texts = {
        "lua": "local a{} = {}\nend",
        "zig": "try out.print({}, {});",
        "prose": "we walked {} miles in {} days",
    }
    for name, text in texts.items():
        (folder / name).mkdir(parents=True)
        for number in range(10):
            (folder / name / f"{number}.txt").write_text(text.replace("{}", str(number)), encoding="utf-8")
    return folder


def test_equal_snippets_give_equal_weights(tmp_path, monkeypatch):
    """Two trainings write the same module, in which an unknown language shares the place of all unnamed ones."""
    message = msgspec.structs.replace(load()[0], has_code=False, text="we walked home", split="dev")
    monkeypatch.setattr(training, "load", lambda: [message])
    folder = snippets(tmp_path / "snippets")
    for name in ("one.py", "other.py"):
        assert training.main([str(folder), "--output", str(tmp_path / name)]) == 0
    text = (tmp_path / "one.py").read_text(encoding="utf-8")
    assert text == (tmp_path / "other.py").read_text(encoding="utf-8")
    module: dict[str, str] = {}
    exec(text, module)  # noqa: S102 -- the module that was just written
    assert module["LANGUAGES"].split() == sorted([languages.UNNAMED, languages.PROSE, "lua"])
    rows = {
        line.rpartition("\t")[0]: line.rpartition("\t")[2].split() for line in module["WEIGHTS"].split("\n")
    }
    place = str(module["LANGUAGES"].split().index("lua"))
    assert int(dict(zip(rows["local"][::2], rows["local"][1::2], strict=True))[place]) > 0


def test_a_folder_without_snippets_is_an_error(tmp_path, capsys):
    """Nothing is written then, and the exit code is 2."""
    assert training.main([str(tmp_path), "--output", str(tmp_path / "weights.py")]) == 2
    assert "no snippets" in capsys.readouterr().err
    assert not (tmp_path / "weights.py").exists()
