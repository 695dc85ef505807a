"""Before a run whose clients speak REST: poll one room once, and say in one line what is wrong if it does not work."""

from typing import Any

from gevent.event import AsyncResult

from ...auth import Access
from ...errors import RunFailed
from ...plan import Plan, mask_url
from ...record.row import Outcome, SignalKind
from ...transport.clock import Clock
from ...transport.options import Options
from ...transport.sockets import Sockets, explain
from ...wire import make_dialect
from ...wire.exchange import Answer, Failure
from ...wire.rest_mapping import BEGINNING, Page
from .rest_endpoint import Credentials, RestEndpoint, make_rest_endpoint

ADVICE = {
    401: "check endpoint.auth",
    403: "check endpoint.auth",
    404: "check endpoint.rest.poll",
    405: "check endpoint.rest.poll",
    429: "it throttles",
}


def check_rest(plan: Plan, access: Access, options: Options) -> None:
    """Poll the first room.

    Raises:
        PlanError, UsageError: the plan describes no REST interface that could be asked.
        RunFailed: it cannot be reached, refuses, or answers what the plan does not describe.
    """
    access.entry(0, 0)  # a login, if there must be one
    heard: Any = AsyncResult()
    clock = Clock()
    clock.failure = heard.set_exception
    try:
        sockets = Sockets(clock, heard.set_exception)
        dialect = make_dialect(plan.endpoint)
        names = [plan.load.name_of(0)]
        endpoint = make_rest_endpoint(plan.endpoint, dialect, sockets, access, options, names)
        connection = endpoint.connection(0)
        request = Credentials(endpoint, 0, 0).sign(endpoint.mapping.poll(names[0], BEGINNING, 0, 0.0))
        connection.ask(request, lambda answer, when: heard.set(answer), endpoint.open_timeout_ns)
        why = _why(heard.get(), endpoint, access)
        connection.close()
    finally:
        clock.close()
    if why:
        where = f"endpoint.rest: {mask_url(plan.endpoint.rest.url or plan.endpoint.url).partition('?')[0]}"
        raise RunFailed(f"{where}: {why}")


def _why(answer: Answer | Failure, endpoint: RestEndpoint, access: Access) -> str:
    """What is wrong with it; "" when nothing is."""
    if isinstance(answer, Failure):
        if answer.outcome is Outcome.CLOSED and answer.code:
            return f"no connection: {explain(answer.code)}; is the endpoint running there?"
        return answer.text
    found = endpoint.mapping.polled(answer, "")
    if isinstance(found, Page):
        return ""
    said = access.conceal(" ".join(found.reason.split()))
    if found.kind is SignalKind.GARBLED:
        return f"{said}; check endpoint.rest.messages, last and number"
    hint = ADVICE.get(found.code, "it does not answer polls there")
    return f"a poll was refused with HTTP {found.code}{f': {said}' if said else ''}; {hint}"
