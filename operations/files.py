"""Writing whole files."""

from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write a file at once: an interruption or a full disk leaves the old content. A device or pipe is written to.

    Raises OSError.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    path = path.resolve()  # a link stays a link
    draft = path.with_name(f"{path.name}.part")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
