"""What an HTTP exchange is made of: a request, an answer, or the reason why there was none.

Pure nouns, for the mappings that make and read them and the transport that carries them; neither need know the other.
"""

from typing import NamedTuple

from ..record.row import Outcome

Headers = tuple[tuple[str, str], ...]


class Request(NamedTuple):
    """One request: method, target (path and query, already encoded), headers of its own, body."""

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
        """The first value of a header (its name in lower case); "" when there is none."""
        return next((value for known, value in self.headers if known == name), "")


class Failure(NamedTuple):
    """No answer: CLOSED (`code` is an errno, 0 for an early end), EXPIRED or GARBLED; `text` says it in words."""

    outcome: Outcome
    code: int
    text: str
