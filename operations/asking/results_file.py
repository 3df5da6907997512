"""The results file of a batch: one line per input line, written as results arrive, from which it can be resumed."""

import errno
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from operations.asking.batch import Line, Outcome
from operations.errors import InvalidInputError, OperationError
from operations.files import replace_file


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Raise InvalidInputError for a file that can't be used, OperationError if the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno in (
            errno.ENOSPC,
            errno.EDQUOT,
        ):  # with another file, a batch that has begun would begin anew
            raise OperationError(
                f"Can't write results to {path}: {error.strerror}. Make room, then repeat the command with --resume; "
                "nothing is started twice."
            ) from error
        raise InvalidInputError(
            f"Can't use {path} for results: {error.strerror}. Name another file."
        ) from error


class Results:
    """The outcomes of a batch: final ones are written to the file at once, others when the file is closed.

    `known` holds, by line number, the ids of runs that an earlier batch started and did not see finish.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        self._path = path
        self._open: dict[int, Outcome] = {}
        self.ended: dict[int, Outcome] = {}
        with _reported(path):
            earlier = self._earlier(resume=resume)
        self.new = not earlier
        """Whether the file holds no earlier batch."""
        self.batch = next((outcome.batch for outcome in earlier), uuid.uuid4().hex[:12])
        for outcome in earlier:
            self._keep(outcome)
        self.ended = {  # refused lines are tried again
            line: outcome for line, outcome in self.ended.items() if outcome.status != "REFUSED"
        }
        with _reported(path):
            self._rewrite()
            self._file = path.open("ab")

    def _earlier(self, *, resume: bool) -> list[Outcome]:
        if not self._path.exists() or not self._path.stat().st_size:
            return []
        if not resume:
            raise InvalidInputError(
                f"{self._path} exists. Add --resume to continue its batch, or name another file."
            )
        lines = self._path.read_bytes().splitlines()
        outcomes = []
        for number, line in enumerate(lines, start=1):
            try:
                outcomes.append(msgspec.json.decode(line, type=Outcome))
            except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
                if number == len(lines):  # cut off when the earlier run was killed
                    break
                raise InvalidInputError(
                    f"Line {number} of {self._path} is not a result of `pipeline submit`. Name another file."
                ) from error
        return outcomes

    @property
    def known(self) -> Mapping[int, str]:
        return {line: outcome.pipeline_id for line, outcome in self._open.items() if outcome.pipeline_id}

    def left(self, lines: list[Line]) -> list[Line]:
        """Return the lines without a result. Raises InvalidInputError if a line has changed since the earlier run."""
        for line in lines:
            before = self.ended.get(line.number) or self._open.get(line.number)
            if before and before.input != line.digest:
                raise InvalidInputError(
                    f"Line {line.number} of the input has changed since {self._path} was written. Name another file."
                )
        return [line for line in lines if line.number not in self.ended]

    def begin(self, lines: list[Line], batch: str) -> None:
        """Write the batch's name, from which the keys are made, before anything is sent.

        A batch that is killed before its first result can then be resumed, too, without starting any run twice.
        """
        if lines and not self.ended and not self._open:
            first = lines[0]
            self.add(Outcome(line=first.number, status="PENDING", input=first.digest, batch=batch))
            self._write(self._open[first.number])

    def add(self, outcome: Outcome) -> None:
        self._keep(outcome)
        if outcome.finished:
            self._write(outcome)

    def _keep(self, outcome: Outcome) -> None:
        if outcome.finished:
            self._open.pop(outcome.line, None)
            self.ended[outcome.line] = outcome
        else:
            self._open[outcome.line] = outcome

    def _write(self, outcome: Outcome) -> None:
        with _reported(self._path):
            self._file.write(msgspec.json.encode(outcome) + b"\n")
            self._file.flush()

    def _rewrite(self) -> None:
        """Write one line per input line; the file is never incomplete."""
        outcomes = [*self.ended.values(), *self._open.values()]
        replace_file(self._path, b"".join(msgspec.json.encode(outcome) + b"\n" for outcome in outcomes))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write one line per input line, also for runs that have not finished, so that the batch can be resumed."""
        with _reported(self._path):
            self._file.close()
            self._rewrite()
