"""Signed calls to the pipeline's API. They are repeated on errors, since every POST carries an Idempotency-Key."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore import exceptions as aws
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

from operations.errors import (
    DeniedError,
    InvalidInputError,
    NotFoundError,
    OperationError,
    RefusedError,
    UnreachableError,
)
from operations.json_text import parse, written
from operations.target import CONNECTIONS, Target
from shared.errors import is_transient

TRIES = 5
LONGEST_PAUSE_SECONDS = 10.0

Pause = Callable[[float], None]


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    retry_after: str | None


class ApiClient:
    """A client of one target's API, which several threads may use."""

    def __init__(self, target: Target, *, pause: Pause = time.sleep) -> None:
        self._target = target
        self._pause = pause
        self._url = target.addresses.api_url
        self._http = URLLib3Session(
            proxies=dict(target.proxies(self._url)), timeout=(5, 35), max_pool_connections=CONNECTIONS
        )

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        """Return the answer's body. Raises OperationError with the text of the API's refusal."""
        data = written(body).encode()
        return self._send("POST", path, data, {"Content-Type": "application/json", **headers})

    def delete(self, path: str) -> Any:
        """Return the answer's body. Raises OperationError with the text of the API's refusal."""
        return self._send("DELETE", path, b"", {})

    def _send(self, method: str, path: str, data: bytes, headers: Mapping[str, str]) -> Any:
        for left in reversed(range(TRIES)):
            try:
                answer = self._once(method, path, data, headers)
            except (aws.HTTPClientError, aws.ConnectionError) as error:
                if not left:
                    raise UnreachableError(
                        f"The API at {self._url} did not answer ({type(error).__name__}). Check the network and "
                        "whether the environment is up."
                    ) from error
                self._pause(backoff(TRIES - left))
                continue
            if answer.status < 300:
                return answer.body
            if not is_transient("", answer.status) or not left:
                raise _error(answer)
            self._pause(_after(answer.retry_after) or backoff(TRIES - left))
        raise AssertionError("unreachable: the last try returns or raises")

    def _once(self, method: str, path: str, data: bytes, headers: Mapping[str, str]) -> Answer:
        request = AWSRequest(method=method, url=f"{self._url}{path}", data=data, headers=dict(headers))
        SigV4Auth(self._target.credentials(), "execute-api", self._target.region).add_auth(request)
        response = self._http.send(request.prepare())
        try:
            body = parse(response.content or b"null")
        except ValueError:
            body = None
        return Answer(response.status_code, body, response.headers.get("Retry-After"))


def backoff(tries: int) -> float:
    """Return the seconds to wait after this many tries: doubled with each, and randomised."""
    return min(LONGEST_PAUSE_SECONDS, 0.2 * 2.0 ** (tries - 1)) * random.uniform(0.5, 1)  # noqa: S311 -- no secret


def _after(header: str | None) -> float | None:
    return min(LONGEST_PAUSE_SECONDS, float(header)) if header and header.isdecimal() else None


def _error(answer: Answer) -> OperationError:
    body = answer.body if isinstance(answer.body, dict) else {}
    problem = body.get("error")
    text = problem.get("message") if isinstance(problem, dict) else body.get("message")
    text = str(text or f"the API answered HTTP {answer.status}").strip()
    match answer.status:
        case 401 | 403:
            return DeniedError(f"The API refused the caller (HTTP {answer.status}): {text}")
        case 404:
            return NotFoundError(text)
        case 400 | 413 | 415:
            return InvalidInputError(text)
    return RefusedError(f"{text} (HTTP {answer.status})")
