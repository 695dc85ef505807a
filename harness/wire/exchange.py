"""An HTTP exchange: a request, an answer, or the reason why there was none.

Pure nouns, shared by the mappings that make and read them and the transport that carries them.
"""

from typing import NamedTuple

from ..record.row import Outcome

Headers = tuple[tuple[str, str], ...]


class Request(NamedTuple):
    """One request: method, target (path and query, already encoded), its own headers, body."""

    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""


class Answer(NamedTuple):
    """One whole answer, whatever its status; header names are lower case."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """The first value of a header (its name in lower case); "" if there is none."""
        return next((value for known, value in self.headers if known == name), "")


class Failure(NamedTuple):
    """No answer: CLOSED (`code` is an errno, 0 for an early end), EXPIRED or GARBLED; `text` explains it."""

    outcome: Outcome
    code: int
    text: str
