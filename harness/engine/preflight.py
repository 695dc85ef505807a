"""Preflight: what can be checked before a run begins: does the endpoint take a connection, and answer its list?

A name may have several addresses of which some are dead (`localhost` is `::1` first, and the server listens on IPv4
only), so each is tried, and the run uses those that work.
"""

from collections.abc import Sequence

from gevent.event import Event

from ..auth import Access
from ..client.patterns.rest_check import check_rest
from ..errors import RunFailed
from ..observe.connection_list import Observer
from ..observe.process import ProcessWatch
from ..plan import Plan, mask_url
from ..record.row import Outcome
from ..schedule.rooms import home_names
from ..transport.clock import Clock
from ..transport.connection_options import find_addresses, make_options
from ..transport.events import Arrival, Ending, Pong, Refusal
from ..transport.http_client import HttpClient
from ..transport.options import Address
from ..transport.sockets import Sockets, explain
from ..transport.websocket import WebSocket
from ..wire.ids import check_nonce

PROXY_ADVICE = {407: "; give endpoint.proxy its credentials: http://${PROXY_USER}:${PROXY_PASSWORD}@host:port"}
ADDRESSES = 32
"""So many answers to one name are tried and used."""


def preflight(
    plan: Plan, nonce: str, patterns: Sequence[str] = ("websocket",)
) -> tuple[tuple[Address, ...], list[str]]:
    """Open one connection to each address of the endpoint and close it, and poll one room once, as the patterns want;
    look once at the connection list.

    Returns:
        The addresses that take connections, and a line for each that does not, and for whatever else is doubtful.

    Raises:
        RunFailed: none of them works, or the list does not; with what the endpoint answered.
    """
    access = Access(
        plan.endpoint,
        check_nonce(nonce),
        plan.load.sessions,
        http=HttpClient,
        room_of=home_names(plan.load, plan.seed) if plan.endpoint.room_key else None,
    )
    good, bad = [], []
    for address in find_addresses(plan.endpoint, access.port)[:ADDRESSES]:
        why = _scout(plan, access, address) if set(patterns) != {"polling"} else None
        if why is None:
            good.append(address)
        else:
            bad.append((address, _in_words(why, access)))
    if not good:
        raise RunFailed(f"endpoint.url: {mask_url(plan.endpoint.url)}: {bad[0][1]}")
    if set(patterns) != {"websocket"}:
        check_rest(plan, access, make_options(plan.endpoint, access.port, tuple(good), access.redaction))
    warnings = [f"left out {address[1][0]}, an address of the endpoint's: {why}" for address, why in bad]
    if plan.endpoint.tls is not None and plan.endpoint.tls.insecure:
        warnings.append("endpoint.tls.insecure: the endpoint's certificate is not verified")
    if plan.observe.url:
        Observer(plan.observe, plan.endpoint, nonce, plan.load.sessions).check()
    if plan.observe.metrics:
        ProcessWatch(plan.observe, plan.endpoint).check()
    return tuple(good), warnings


def _scout(plan: Plan, access: Access, address: Address) -> Refusal | None:
    """Open and close one connection; why it did not open."""
    scout = _Scout()
    clock = Clock()
    clock.failure = scout.failed
    try:
        options = make_options(plan.endpoint, access.port, (address,), access.redaction)
        connection = WebSocket(Sockets(clock, scout.failed), scout, options)
        scout.connection = connection
        uri, headers, subprotocols = access.entry(0, 0)
        connection.connect(0, uri, headers, subprotocols)
        scout.done.wait()
        connection.reset()
    finally:
        clock.close()
    if scout.error is not None:
        raise scout.error
    return scout.why


class _Scout:
    """Hears how the one connection before the run went."""

    def __init__(self) -> None:
        self.done = Event()
        self.why: Refusal | None = None
        self.error: BaseException | None = None
        self.connection: WebSocket | None = None

    def opened(self, sent: int, when: Arrival) -> None:
        if self.connection is not None:
            self.connection.close()

    def refused(self, why: Refusal, sent: int, when: Arrival) -> None:
        self.why = why
        self.done.set()

    def received(self, data: bytes, when: Arrival) -> None:
        pass

    def ponged(self, pong: Pong, when: Arrival | None) -> None:
        pass

    def closed(self, end: Ending, when: Arrival) -> None:
        self.done.set()

    def failed(self, error: BaseException) -> None:
        self.error = error
        self.done.set()


def _in_words(why: Refusal, access: Access) -> str:
    if why.outcome is Outcome.CLOSED and why.code:
        return f"no connection: {explain(why.code)}; is the endpoint running there?"
    if why.outcome is Outcome.REJECTED:
        body = access.conceal(" ".join(why.body.split()))
        advice = {401: "check endpoint.auth", 403: "check endpoint.auth", 404: "check the path", 429: "it throttles"}
        hint = advice.get(why.status, "it does not speak WebSocket there")
        if not why.status or why.text.startswith("the proxy"):
            return f"{why.text}{f': {body}' if body else ''}{PROXY_ADVICE.get(why.status, '')}"
        return f"the upgrade was refused with {why.text}{f': {body}' if body else ''}; {hint}"
    return why.text
