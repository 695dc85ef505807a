"""Tokens that the endpoint gives for an HTTP request: asked for before a session connects, kept until they run out.

Openings run in the hub and must not wait, so logins queue for a few greenlets (`at_once`), each with a connection kept
alive. A login that fails is a value for the session that wanted it, which comes back later as after any failed opening.
"""

import time
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import gevent
import msgspec

from ..errors import UsageError
from ..paths import split, walk
from ..placeholders import fill
from ..plan import LoginAuth, mask_url
from ..record.row import Outcome
from ..wire.exchange import Answer, Request
from .expiry import jwt_expiry
from .provider import Denied, Fields, HttpClient, Provider, Setting, Then, fit_for_a_request
from .templates import expand, expand_all, expand_template, fill_all, on_origin

FOREVER = float("inf")
BODY_CHARS = 500


@dataclass(slots=True, repr=False)
class _Kept:
    """A token, until when it is good (seconds, monotonic), when one in use is renewed, and the one that it replaced."""

    token: str
    expires_s: float
    renew_s: float
    before: str = ""


class Login(Provider):
    """One token a session, or one for all.

    Raises:
        UsageError: an environment variable is not set, or the url is none.
    """

    def __init__(self, auth: LoginAuth, setting: Setting) -> None:
        where, redaction = setting.where, setting.redaction
        self._auth = auth
        self._redaction = redaction
        self._witness = setting.witness
        self._failure = setting.failure
        endpoint_url = expand(setting.endpoint.url, "endpoint.url", redaction)
        self._url = on_origin(expand_template(auth.url, f"{where}.url", redaction), endpoint_url)
        if urlsplit(self._url).scheme not in ("http", "https") or not urlsplit(self._url).hostname:
            raise UsageError(f'{where}.url: "{mask_url(auth.url)}" is not a http url')
        self._headers: dict[str, str] = expand_all(auth.headers, f"{where}.headers", redaction)
        for name, value in self._headers.items():
            fit_for_a_request(value, f"{where}.headers.{name}")
        self._body = expand_all(auth.body, f"{where}.body", redaction)
        self._form = expand_all(auth.form, f"{where}.form", redaction)
        if setting.http is None:
            raise ValueError("a login needs an HTTP client")
        self._client = setting.http(self._url, setting.endpoint, redaction, f"{where}.url", by_proxy=True)
        self._kept: dict[int, _Kept] = {}
        self._borne: dict[int, str] = {}
        """The token that each session was given last."""
        self._waiting: dict[int, list[tuple[Fields, Then]]] = {}
        self._queue: deque[tuple[int, Fields, int]] = deque()
        self._workers: set[Any] = set()

    # -- what a session asks ------------------------------------------------------------------------------------

    def token(self, whose: Fields) -> str | None:
        """The kept one while it is fresh."""
        kept = self._kept.get(self._number(whose))
        fresh = kept is not None and time.monotonic() < kept.expires_s - self._auth.refresh_before_s
        if kept is None or not fresh:
            return None
        self._borne[whose.session] = kept.token
        return kept.token

    def latest(self, whose: Fields) -> str:
        """The kept one, fresh or not."""
        kept = self._kept.get(self._number(whose))
        if kept is None:
            return ""
        self._borne[whose.session] = kept.token
        return kept.token

    def life_s(self, whose: Fields) -> float:
        """Until it is time to log in again; half its life, where that is shorter than `refresh_before_s`."""
        kept = self._kept.get(self._number(whose))
        return max(0.0, min(kept.renew_s, kept.expires_s) - time.monotonic()) if kept is not None else 0.0

    def expires_s(self, whose: Fields) -> float:
        """By the answer of the login, or by the token itself."""
        kept = self._kept.get(self._number(whose))
        return time.time() + kept.expires_s - time.monotonic() if kept is not None else FOREVER

    def fetch(self, whose: Fields, then: Then) -> None:
        """Log in; sessions that share a token share the login."""
        token = self.token(whose)
        if token is not None:
            then(token)
            return
        number = self._number(whose)
        waiting = self._waiting.get(number)
        if waiting is not None:
            waiting.append((whose, then))
            return
        self._waiting[number] = [(whose, then)]
        self._queue.append((number, whose, time.monotonic_ns()))
        if len(self._workers) < self._auth.at_once:
            self._workers.add(gevent.spawn(self._work))

    def forget(self, whose: Fields, status: int) -> bool:
        """Log in again next time, if this status says that the token is no longer good.

        Only the token that this session bore: who hears late that a shared one is no good does not undo the login
        that has replaced it.
        """
        kept = self._kept.get(self._number(whose))
        if kept is None or status not in self._auth.again_on:
            return False
        if kept.token == self._borne.get(whose.session, kept.token):
            kept.expires_s = 0.0
        return True

    def close(self) -> None:
        """End every login; their callers learn that it came to nothing."""
        for worker in self._workers:
            worker.kill(block=False)
        self._workers.clear()
        waiting, self._waiting = self._waiting, {}
        self._queue.clear()
        for thens in waiting.values():
            for _, then in thens:
                then(Denied(Outcome.ABANDONED, 0, "the run ended before the login did"))

    # -- the few that log in ------------------------------------------------------------------------------------

    def _work(self) -> None:
        client = self._client.another()
        try:
            while self._queue:
                number, whose, due = self._queue.popleft()
                token = self._log_in(client, whose, due)
                # What a session goes on with runs in the hub, as everything that the transport tells it.
                gevent.get_hub().loop.run_callback(self._tell, number, token)
        except gevent.GreenletExit:
            raise
        except BaseException as error:  # noqa: BLE001
            self._fail(error)
        finally:
            # No switch since the last look at the queue: a login that is queued from now on starts a worker.
            self._workers.discard(gevent.getcurrent())
            client.close()

    def _tell(self, number: int, token: str | Denied) -> None:
        for whose, then in self._waiting.pop(number, []):
            if isinstance(token, str):
                self._borne[whose.session] = token
            try:
                then(token)
            except BaseException as error:  # noqa: BLE001 - the hub would print and swallow it
                self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            raise error
        self._failure(error)

    def _log_in(self, client: HttpClient, whose: Fields, due: int) -> str | Denied:
        began, ended = time.monotonic_ns(), 0
        found: str | Denied
        answer = client.ask(self._request(whose), self._auth.timeout_s)
        if isinstance(answer, Answer):
            ended = time.monotonic_ns()
            found = self._judge(whose, answer.status, answer.body)
            if isinstance(found, Denied):
                found = found._replace(retry_after=answer.header("retry-after"))
        else:
            text = answer.text
            if answer.outcome is Outcome.EXPIRED:
                text = f"no answer within {self._auth.timeout_s:g} s"
            found = Denied(answer.outcome, answer.code, f"login: {self._redaction.conceal(text)}")
        if self._witness is not None:
            outcome, code = (found.outcome, found.code) if isinstance(found, Denied) else (Outcome.OK, 0)
            self._witness(whose, outcome, code, due, began, ended)
        return found

    def _request(self, whose: Fields) -> Request:
        """The request of one login."""
        texts = whose.texts
        parts = urlsplit(fill(self._url, whose.url_texts))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept": "application/json"}
        body = b""
        if self._body is not None:
            body = msgspec.json.encode(fill_all(self._body, texts))
            headers["Content-Type"] = "application/json"
        elif self._form is not None:
            body = urlencode(fill_all(self._form, texts)).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        headers |= fill_all(self._headers, texts)
        return Request(self._auth.method, target, tuple(headers.items()), body)

    def _judge(self, whose: Fields, status: int, body: bytes) -> str | Denied:
        """The token in an answer, kept; or why there is none."""
        if not 200 <= status < 300:
            # Concealed before its blanks are made one: a password may hold two.
            said = self._redaction.conceal(body[: 4 * BODY_CHARS].decode("utf-8", "replace"))
            return Denied(Outcome.REJECTED, status, f"login: HTTP {status}", " ".join(said.split())[:BODY_CHARS])
        try:
            answer = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Denied(Outcome.GARBLED, status, "login: the answer is not JSON")
        token = walk(answer, split(self._auth.token_path))
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            return Denied(
                Outcome.GARBLED, status, f'login: there is no token at token_path = "{self._auth.token_path}"'
            )
        life_s = FOREVER
        if self._auth.expires_in_path:
            given = walk(answer, split(self._auth.expires_in_path))
            if isinstance(given, bool) or not isinstance(given, int | float):
                path = self._auth.expires_in_path
                return Denied(Outcome.GARBLED, status, f'login: there is no number at expires_in_path = "{path}"')
            life_s = given
        elif (expires := jwt_expiry(token)) < FOREVER:
            life_s = expires - time.time()
        self._keep(self._number(whose), token, life_s)
        return token

    def _keep(self, number: int, token: str, life_s: float) -> None:
        """Keep a token, and go on hiding the one before: what echoes it may still be under way."""
        kept = self._kept.get(number)
        if kept is not None and kept.before not in ("", token):
            self._redaction.forget(kept.before)
        self._redaction.add(token)
        now = time.monotonic()
        renew_s = now + life_s - max(0.0, min(self._auth.refresh_before_s, life_s / 2))
        self._kept[number] = _Kept(token, now + life_s, renew_s, kept.token if kept else "")

    def _number(self, whose: Fields) -> int:
        return whose.session if self._auth.per == "session" else -1
