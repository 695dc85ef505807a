"""The observer: looks at the endpoint's list of connections, and records which of ours appeared and which vanished.

A look sees a moment somewhere between its beginning and its end, so a change lies between the *beginning* of the last
look that did not show it and the *end* of the first that did. The row has both times.
"""

import string
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import gevent
import msgspec

from ..auth import Denied, Fields, Redaction, expand, make_provider, place
from ..auth.provider import Setting, wait_for
from ..auth.templates import on_origin
from ..errors import RunFailed
from ..paths import Path, split
from ..plan import Endpoint, Observe, mask_url
from ..record.recorder import Recorder
from ..record.row import Kind, Outcome
from ..transport.clock import Clock
from ..transport.http_client import HttpClient
from ..units import SECOND
from ..wire.exchange import Answer, Failure, Request
from ..wire.ids import read_connection_key

TIMEOUT_S = 5.0
EXAMPLES, EXAMPLE_CHARS = 3, 40
NOBODY = Fields(0, 0, "observer")
"""The observer is no session; a token a session means the first one's."""


class Observer:
    """Looks at one list.

    Raises:
        UsageError: an environment variable that the plan names is not set.
    """

    def __init__(
        self, observe: Observe, endpoint: Endpoint, nonce: str, sessions: int, redaction: Redaction | None = None
    ) -> None:
        self._redaction = redaction = redaction or Redaction()
        self._observe = observe
        self._nonce = nonce
        self._sessions = sessions
        self.url = on_origin(
            expand(observe.url, "observe.url", redaction), expand(endpoint.url, "endpoint.url", redaction)
        )
        self._provider = make_provider(
            observe.auth, Setting("observe.auth", endpoint, redaction, 1, None, None, HttpClient)
        )
        self._headers = {
            name: expand(value, f"observe.headers.{name}", redaction) for name, value in observe.headers.items()
        }
        self._http = HttpClient(self.url, endpoint, redaction, "observe.url")
        self._list_path = split(observe.list_path)
        self._key_path = split(observe.key_path)
        self._shape = _shape(self._list_path, self._key_path)
        self._present: set[tuple[int, int]] = set()
        self._last_began = 0
        self._shown_others = 0

    def check(self) -> None:
        """Look once before the run.

        Raises:
            RunFailed: the list cannot be had, or does not look as the plan says.
        """
        answer = self._get()
        self._http.close()
        if isinstance(answer, Denied):
            raise RunFailed(f"observe.auth: {answer.text}{f': {answer.body}' if answer.body else ''}")
        if isinstance(answer, Failure):
            raise RunFailed(f"observe.url: {self._shown} cannot be reached: {self._redaction.conceal(answer.text)}")
        if answer.status != 200:
            body = self._redaction.conceal(answer.body[:200].decode("utf-8", "replace").replace("\n", " "))
            raise RunFailed(f"observe.url: {self._shown} answered HTTP {answer.status}: {body}")
        try:
            self._keys(answer.body)
        except ValueError as error:
            raise RunFailed(f"observe.url: {self._shown}: {error}") from None

    def run(self, clock: Clock, recorder: Recorder, failure: Callable[[BaseException], None]) -> None:
        """Look every `every_s` until killed; to be spawned."""
        due = clock.now()
        try:
            while True:
                self.look(clock, recorder)
                due = max(due + round(self._observe.every_s * SECOND), clock.now())
                clock.sleep_until(due)
        except gevent.GreenletExit:
            raise
        except BaseException as error:  # noqa: BLE001
            failure(error)
        finally:
            self._provider.close()
            self._http.close()

    def look(self, clock: Clock, recorder: Recorder) -> None:
        """Look once and record it."""
        began = clock.now()
        outcome, code, keys = Outcome.OK, 0, None
        answer = self._get()
        if isinstance(answer, Denied | Failure):
            outcome, code = answer.outcome, answer.code
            if isinstance(answer, Denied) or outcome is not Outcome.EXPIRED:
                recorder.evidence(clock.now(), "note", 0, f"the connection list could not be had: {answer.text}")
        elif answer.status != 200:
            outcome, code = Outcome.REJECTED, answer.status
            self._provider.forget(NOBODY, code)
        else:
            try:
                keys = self._keys(answer.body)
            except ValueError as error:
                outcome = Outcome.GARBLED
                recorder.evidence(clock.now(), "note", 0, f"the connection list could not be read: {error}")
        ended = clock.now()
        ours = {
            ours for key in keys or () if (ours := read_connection_key(key, self._nonce, self._sessions)) is not None
        }
        recorder.row(
            Kind.LOOK, outcome, 0, code, seq=len(keys or ()), peer=len(ours), sent=began, arrived=ended, read=ended
        )
        if keys is None:
            return
        if not ours:
            self._keep_others(keys, ended, recorder)
        for kind, changed in ((Kind.SEEN, ours - self._present), (Kind.GONE, self._present - ours)):
            for session, conn in sorted(changed):
                recorder.row(
                    kind, session=session, conn=conn, sent=self._last_began or began, arrived=ended, read=ended
                )
        self._present, self._last_began = ours, began

    def _keep_others(self, keys: list[str], now: int, recorder: Recorder) -> None:
        """Keep the first names of a list without any of our connections as evidence, cut and escaped."""
        for key in keys[: EXAMPLES - self._shown_others]:
            self._shown_others += 1
            recorder.evidence(now, "listed", 0, msgspec.json.encode(key[:EXAMPLE_CHARS]).decode())

    @property
    def _shown(self) -> str:
        return mask_url(self.url).partition("?")[0]

    def _get(self) -> Answer | Failure | Denied:
        headers = dict(self._headers)
        token: str | Denied | None = self._provider.token(NOBODY)
        if token is None:
            token = wait_for(self._provider, NOBODY)
        if isinstance(token, Denied):
            return token
        url, _ = place(self._observe.auth, token, self.url, headers)
        return self._http.ask(page_request(url, headers), TIMEOUT_S)

    def _keys(self, body: bytes) -> list[str]:
        """The keys of all listed connections.

        Raises:
            ValueError: the answer is not JSON, or there is no list where the plan says.
        """
        try:
            found: Any = msgspec.json.decode(body, type=self._shape)
        except msgspec.ValidationError:
            found = None
        for _ in self._list_path:
            found = found.inside if found is not None else None
        if found is None:
            raise ValueError(f'there is no list at observe.list_path = "{self._observe.list_path}"')
        keys = []
        for item in found:
            for _ in self._key_path:
                item = item.inside if item is not None else None
            if item is not None:
                keys.append(str(item))
        return keys


def _shape(list_path: Path, key_path: Path) -> Any:
    """A type with only the fields on the way to the keys: the decoder skips all else, ten times as fast."""
    shape: Any = str | int | None
    for name in reversed(key_path):
        shape = _holder(name, shape)
    shape = list[shape]
    for name in reversed(list_path):
        shape = _holder(name, shape)
    return shape


def _holder(name: str, inside: Any) -> Any:
    return msgspec.defstruct("Holder", [("inside", inside | None, None)], rename={"inside": name})


def page_request(url: str, headers: Mapping[str, str]) -> Request:
    """The GET of one page; the url's user and password become a header (RFC 7617), and what must be encoded is."""
    parts = urlsplit(url)
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"} | dict(headers)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Request("GET", quote(target, safe=string.punctuation), tuple(headers.items()))
