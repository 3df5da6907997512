"""Which text is code, of which kind and language, and where it stands."""

import itertools

import pytest

from services.analyzer.core import analyze
from services.analyzer.languages import clues

KINDS = [
    ("```python\nprint(1)\n```", "fenced", "python", "print(1)"),
    ("~~~ruby\nputs 1\n~~~", "fenced", "ruby", "puts 1"),
    ("look:\n```js\nlet a = 1;", "fenced", "javascript", "let a = 1;"),
    ("use ```go\nx := 1\n``` here", "fenced", "go", "x := 1"),
    ("Call `foo(1, 2)` twice.", "inline", None, "foo(1, 2)"),
    ("Run `npm install` first.", "inline", "bash", "npm install"),
    ("def f(x):\n    return x + 1", "bare", "python", "def f(x):\n    return x + 1"),
    (
        "Here:\n\nconst a = () => {\n  go();\n};\n\nDone.",
        "bare",
        "javascript",
        "const a = () => {\n  go();\n};",
    ),
    ("$ ls -la", "shell", "bash", "$ ls -la"),
    ("git push origin main", "shell", "bash", "git push origin main"),
    ("SELECT a FROM t WHERE b = 1;", "sql", "sql", "SELECT a FROM t WHERE b = 1;"),
    ('{"a": [1, 2], "b": null}', "json", "json", '{"a": [1, 2], "b": null}'),
    ('<div class="a">x</div>', "markup", "html", '<div class="a">x</div>'),
    (
        'Traceback (most recent call last):\n  File "a.py", line 1, in f\nKeyError: 1',
        "stack_trace",
        "python",
        'Traceback (most recent call last):\n  File "a.py", line 1, in f\nKeyError: 1',
    ),
    (
        "java.lang.Error: x\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)",
        "stack_trace",
        "java",
        "java.lang.Error: x\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)",
    ),
    ("why is df.groupby('a').sum() slow", "bare", None, "df.groupby('a').sum()"),
    ("never run rm -rf build/ there", "shell", "bash", "rm -rf build/"),
]


@pytest.mark.parametrize(("text", "kind", "language", "code"), KINDS)
def test_code_is_found_where_it_stands(text, kind, language, code):
    """A span has the kind and the language of the code, and `text[start:end]` is the code."""
    (span,) = analyze(text).code
    assert (span.kind, text[span.start : span.end]) == (kind, code)
    if language:
        assert span.language == language


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("public class A {\n    private int b;\n    public static void main(String[] args) {}\n}", "java"),
        ('#include <stdio.h>\nint main(void) {\n    printf("a");\n}', "c"),
        ("#include <iostream>\nint main() {\n    std::cout << 1;\n}", "c++"),
        ('using System;\nConsole.WriteLine("a");', "c#"),
        ("package main\n\nfunc main() {\n\tx := 1\n\tfmt.Println(x)\n}", "go"),
        ('fn main() {\n    let mut x = 1;\n    println!("{}", x);\n}', "rust"),
        ("class A\n  attr_reader :b\n  def c\n    puts b\n  end\nend", "ruby"),
        ("<?php\n$a = 1;\necho $a;", "php"),
        ("fun main() {\n    val a = listOf(1)\n    println(a)\n}", "kotlin"),
        ("guard let a = b else { return }\nlet c: String = a", "swift"),
        ("interface A {\n  b: string;\n}\nconst c: A = { b: 'x' };", "typescript"),
        ('#!/bin/bash\nfor f in *; do\n  echo "$f"\ndone', "bash"),
        ("services:\n  web:\n    image: nginx\n    ports:\n      - 80:80", "yaml"),
        ('[package]\nname = "a"\nversion = "1"', "toml"),
        ('FROM alpine:3\nRUN apk add curl\nCMD ["sh"]', "dockerfile"),
        (".a { color: red; }\n.b { margin: 0 auto; }", "css"),
        ("diff --git a/x b/x\n@@ -1 +1 @@\n-a\n+b", "diff"),
    ],
)
def test_languages_are_told_apart(code, language):
    """Code that nobody fenced is found, and its language guessed."""
    analysis = analyze(code)
    assert analysis.has_code
    assert analysis.languages[:1] == (language,)


@pytest.mark.parametrize(
    "prose",
    [
        "please select a table from the menu",
        "import duties on class B goods",
        "for example, if you return it while on sale",
        "It costs $ 20, or $ 15 with a card.",
        "f(x) = 2x + 1 and E = mc^2",
        "   /\\_/\\\n  ( o.o )\n   > ^ <",
        "Mail me: jane.doe@example.com",
        "- milk\n- bread\n- eggs (6)",
        ":-) ;-) <3 :P",
        "> quoted reply\n> of a friend",
        "See https://example.org/a?b=c&d={e}#f(g)",
        "# Heading\n\n**bold** and *italic*, [link](https://example.org)",
        "The word `serendipity` is lovely.",
        "git is hard and docker keeps crashing",
        "Name: Bob\nAge: 12\nCity: Bonn",
        "the sort() method of README.md",
        "Write to <jane@example.com> or <your name>",
        "2x + 3y = 7\nx - y = 1",
        "The sun goes down;\nthe moon comes up;",
        "WHERE IS MY ORDER\nFROM LAST WEEK",
        "SELECT ALL THE FILES FROM MY DISK",
        "if you like it:\nfor the record:\ntry it",
        "Feb 11 07:15:22 gate sshd[2201]: pam_sss(sshd:account): access granted to eve",
        "Oct 30 23:59:58 mill cron[77]: pam_env(cron:setcred): no variables for user web",
        "## Don't lock-and-forget",
        "[a.b/c]: https://example.org/a.b/c\n[d/e]: https://example.org/d/e",
        "city,population,area\nOslo,717710,454\nBergen,291940,465",
        "id;name;paid on\n1;Mona;3 May\n2;Ilse;9 May",
        "```\n\n```",
        "~~~~~~~~~~\nnews\n~~~~~~~~~~",
        "score: 30",
        "iPhone: 999",
        "status: done",
        "Warning: true story",
        "Anna-Maria Berg -Oslo",
        "var är du [just nu]",
        "}",
        "Plan:\ngo home\nmake tea",
    ],
)
def test_prose_is_no_code(prose):
    """Keywords, prices, formulas, lists, drawings, addresses and quotations are no code."""
    assert analyze(prose).code == ()
    assert not analyze(prose).has_code


@pytest.mark.parametrize(
    "code",
    [
        "(defun area (w h)\n  (* w h))\n(print (area 3 4))",
        "(define (twice f x)\n  (f (f x)))",
        "(ns shop.core)\n(defn total [items]\n  (reduce + (map :price items)))",
        "let rec sum = function\n  | [] -> 0\n  | x :: rest -> x + sum rest",
        "square = (x) -> x * x\ncubes = (square(n) * n for n in list)",
        "_start:\n    mov rax, 60\n    xor rdi, rdi\n    syscall",
        "f[x_] := x^2 + 1\nPlot[f[x], {x, -2, 2}]",
        "server {\n    listen 8080;\n    root /srv/www;\n    index index.html;\n}",
        "User-agent: *\nDisallow: /private/\nAllow: /",
        "today=$(date +%F)",
        "shopt -s globstar",
        'raise "no name" unless user.name? && user.valid?',
        "max_retries: 3",
        "debug: true",
        "- targets: ['db:9187', 'web:9100']",
        "cert: /etc/app/tls.pem",
        "wait: 30s",
        "Restart=always",
        "LOG_LEVEL=debug",
        "Install-Module Plaster -Scope CurrentUser",
        "1..9 | Select-Object -First 3",
        "Rectangle grow(Rectangle box) {",
        "var names []string",
        "create index(:users, [:email])",
        "from u in User,\n  select: u.name",
        "rate(http_errors_total[5m])",
        "npm install  # or yarn",
    ],
)
def test_code_without_a_pattern_of_its_own_is_found(code):
    """Code of languages that have no name here, and lone statements, are code from end to end, without questions."""
    (span,) = analyze(code).code
    assert code[span.start : span.end] == code
    assert analyze(code).question_count == 0


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("const sizes: string[] = ['s', 'm'];\nconsole.log(sizes.map((s) => s.length));", "typescript"),
        ("if ($Free -lt 10) {\n    $Left = $Free / 2\n    Write-Output $Left\n}", "powershell"),
        ("name: build\nextends: ../base.yaml", "yaml"),
        ('def half(n: int) -> float:\n    """Halve.\n    >>> half(3)\n    1.5\n    """', "python"),
        ('[tool.mypy]\nstrict = true\nfiles = ["src"]', "toml"),
        ("  replicas: 2\n-  image: shop:1\n+  image: shop:2", "diff"),
        ("def total(cart, rates \\\\ %{}) do\n  sum(cart)\nend", "elixir"),
        ('#include "shop.h"\nvoid Shop::open(void) {\n    printf("open");\n}', "c++"),
        ('new { Name = "Ida", Age = 7 }', "c#"),
        ('const std = @import("std");\npub fn main() !void {\n    try run();\n}', None),
        ("01 TOTAL PIC 9(4).\nPROCEDURE DIVISION.\n    ADD 1 TO TOTAL.\n    STOP RUN.", None),
    ],
)
def test_looks_of_another_language_do_not_win(code, language):
    """Languages that resemble each other are told apart; one that has no name here gets none."""
    analysis = analyze(code)
    assert analysis.has_code
    assert analysis.languages == ((language,) if language else ())


@pytest.mark.parametrize(
    ("message", "code", "asks"),
    [
        (
            "Sum is off here:\n\ndf['a'].dropna().sum(axis=1)\n\nFix it.",
            "df['a'].dropna().sum(axis=1)",
            False,
        ),
        (
            "Please turn this into a list : for (x of xs) {\n  out.push(x);\n}",
            "for (x of xs) {\n  out.push(x);\n}",
            False,
        ),
        ("next unless order.paid? && order.open?", None, False),
        ("(if (empty? xs) 0 (first xs))", None, False),
        ("What fails here? int[] b = new int[2];", "int[] b = new int[2];", True),
        ('exec "$@"', None, False),
        ("ipconfig /all", None, False),
        ("// Stop when the queue is empty\nif (queue.size() == 0) {\n  break;\n}", None, False),
        (
            "int n = 1;\nwhile (n < 9) {\n    n *= 2;\n}\n\n```\n\nWhat does it print at the end?",
            "int n = 1;\nwhile (n < 9) {\n    n *= 2;\n}",
            True,
        ),
    ],
)
def test_code_ends_where_prose_begins(message, code, asks):
    """Sentences before and behind code are no code, a comment in it is, and a stray fence hides no question."""
    analysis = analyze(message)
    (span,) = analysis.code
    assert message[span.start : span.end] == (code or message)
    assert analysis.is_question == asks


def test_a_fence_within_a_line_does_not_swallow_the_rest():
    """Two fences on one line quote what is between them, and a question behind them counts."""
    analysis = analyze("Put ```json and ``` around the answer. Which of them is wrong?")
    assert analysis.code == ()
    assert analysis.question_count == 1


def test_a_fence_that_nothing_closes_holds_the_rest():
    """A lone fence opens code if there is no code before it."""
    text = "Look at this:\n```\nx = f(1)\ny = g(x)"
    (span,) = analyze(text).code
    assert (span.kind, text[span.start : span.end]) == ("fenced", "x = f(1)\ny = g(x)")


def test_a_name_can_be_explained():
    """The clues of a piece are features that stand in it, the strongest first."""
    code = "package main\n\nfunc main() {\n\tdefer stop()\n}"
    found = clues(code, "go")
    assert {"package", "func", "defer"} & {feature for _, feature in found}
    assert [abs(weight) for weight, _ in found] == sorted((abs(weight) for weight, _ in found), reverse=True)


def test_spans_are_in_order_and_apart():
    """Code of several kinds in one message: spans in the order of the text, none overlapping."""
    text = (
        "Run `a.b()` then:\n```sql\nSELECT 1\n```\nand\n\n$ ls -l\n\nbut df.loc[0, 'x'] = f(1, a='b') fails"
    )
    spans = analyze(text).code
    assert len(spans) >= 3
    assert all(one.end <= other.start for one, other in itertools.pairwise(spans))


def test_the_likeliest_language_is_first():
    """Languages are ordered by how much of the message is written in them."""
    text = "```sql\nSELECT 1\n```\n```python\nimport os\nprint(os.getcwd())\nprint(os.listdir())\n```"
    assert analyze(text).languages == ("python", "sql")
