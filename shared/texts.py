"""Long texts: what is too long for the state of an execution lies in the table of answers, and a reference travels.

The state, a record's `final_response` and an older release hold the beginning of such a text. This module is imported
at the first long text, so that other messages pay nothing for it.
"""

import hashlib
import time
from typing import Any, Final

from shared.aws import translated_errors
from shared.contracts.packing import pack, unpack
from shared.contracts.v1 import StoredText

KEPT_SECONDS: Final = 31 * 24 * 3_600
"""A day longer than the answer that refers to the text."""
PREFIX: Final = "text#"
"""The beginning of the keys of long texts: services that format or record an answer have rights on these alone."""


class Texts:
    """The long texts of an environment's runs. Raises TransientError or PermanentError if DynamoDB fails a call."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def keep(self, pipeline_id: str, stage: str, text: str) -> StoredText:
        """Store a text and return the reference. The same text has the same key, so a repetition changes nothing."""
        packed = pack(text)
        key = f"{PREFIX}{pipeline_id}#{stage}#{hashlib.sha256(packed).hexdigest()[:32]}"
        with translated_errors():
            self._client.put_item(
                TableName=self._table,
                Item={
                    "id": {"S": key},
                    "packed": {"B": packed},
                    "expiration": {"N": str(int(time.time()) + KEPT_SECONDS)},
                },
            )
        return StoredText(key=key, characters=len(text), stored_bytes=len(packed))

    def read(self, reference: StoredText) -> str | None:
        """Return the whole text, or None if it is there no longer, or is not a text of a run."""
        if not reference.key.startswith(PREFIX):
            return None
        with translated_errors():
            answer = self._client.get_item(
                TableName=self._table, Key={"id": {"S": reference.key}}, ConsistentRead=True
            )
        packed = answer.get("Item", {}).get("packed", {}).get("B")
        try:
            return unpack(packed) if packed else None
        except ValueError:
            return None
