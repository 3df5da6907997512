"""The packed form of long texts, as the table of answers and the records hold them. Imported by the first one."""

import bz2

from shared.contracts.limits import PACKED_BYTES


def pack(text: str) -> bytes:
    return bz2.compress(text.encode())


def unpack(packed: bytes) -> str:
    """Return the text. Raises ValueError for what `pack` did not make."""
    try:
        return bz2.decompress(packed).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ValueError("not a packed text") from error


def storable(text: str) -> str:
    """Return the text, or as much of it as an item has room for: random characters can hardly be compressed."""
    while (size := len(pack(text))) > PACKED_BYTES:
        text = text[: int(0.98 * len(text) * PACKED_BYTES / size)]
    return text
