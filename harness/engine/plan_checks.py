"""Plan checks: what the sections of a plan and its scenarios must agree on, refused before anything is opened.

What one table alone shows to be wrong is refused where it is read (`harness.plan`, the dialects); here is what takes
the protocol, the load and the scenarios together.
"""

from typing import TYPE_CHECKING, Any

from ..errors import PlanError, UsageError
from ..plan import JsonDialect, Plan
from ..wire import Dialect, Message, make_dialect
from ..wire.placeholders import has_id
from .scenario_files import SHIPPED

if TYPE_CHECKING:
    from .scenario_loading import Scenarios

HOLD = 'to hold connections and send nothing, set load.scenario = "idle", or is_silent = True in a scenario of your own'


def is_silent(plan: Plan, scenarios: "Scenarios") -> bool:
    """Whether no session publishes anything, by design: a run that is judged by its connections alone."""
    described = _json(plan)
    return (
        plan.load.is_silent
        or all(user.is_silent for user in scenarios.users)
        or (described is not None and set(scenarios.patterns) == {"websocket"} and not _can_publish(described))
    )


def can_publish(plan: Plan, pattern: str) -> bool:
    """Whether a session that talks in this way can send a message whose answer would be recognised."""
    described = _json(plan)
    return described is None or pattern != "websocket" or _can_publish(described)


def make_checked_dialect(plan: Plan) -> Dialect:
    """The dialect of a plan that was checked; it refuses a message whose answer could not be recognised.

    Only a scenario of the user's can still ask for one: what it sends is not known before it does.

    Raises:
        PlanError: as `make_dialect`.
    """
    dialect, described = make_dialect(plan.endpoint), _json(plan)
    return dialect if described is None or _can_publish(described) else _Listening(dialect, described)


class _Listening:
    """A dialect that publishes nothing."""

    def __init__(self, dialect: Dialect, described: JsonDialect) -> None:
        self.acks, self.joins, self.leaves, self.pings = dialect.acks, dialect.joins, dialect.leaves, dialect.pings
        self.plain_ids = dialect.plain_ids
        self.join, self.leave, self.ping = dialect.join, dialect.leave, dialect.ping
        self.decode, self.explain = dialect.decode, dialect.explain
        self._why = "is not given" if described.publish is None else "has no {id}, so no answer can name its message"

    def publish(self, message: Message) -> bytes:
        """Raises UsageError."""
        raise UsageError(f"the scenario publishes, and endpoint.json.publish {self._why}")


def check_plan(plan: Plan, scenarios: "Scenarios") -> None:
    """See that what the plan wants sent can be sent, and its answers be recognised.

    Raises:
        PlanError: names the key and what would be right.
    """
    make_dialect(plan.endpoint)
    described = _json(plan)
    publishing = [user for user in scenarios.users if not user.is_silent]
    if plan.load.is_silent and publishing and _expects_something(plan, described):
        raise PlanError(f"load.rate_per_s: it is 0, so no message would be sent; set a rate above 0, or, {HOLD}")
    if described is None:
        return
    if plan.endpoint.order != "fifo":
        _check_requests(described)
    shipped = [user for user in publishing if _is_shipped(user)]
    if plan.load.is_silent or not shipped:
        return  # what a scenario of the user's sends is known when it does: then the dialect refuses it
    if any(user.pattern == "websocket" for user in shipped) and described.publish is None:
        raise PlanError(f"endpoint.json.publish: it is not given, and the scenario publishes; {HOLD}")
    for user in shipped:
        key, template = _published(plan, described, user.pattern)
        if template is not None:
            _check_id(plan, described, key, template, posts=user.pattern != "websocket")


def plays_shipped(scenarios: "Scenarios") -> bool:
    """Whether all scenarios are ours, so that it is known what they send."""
    return all(_is_shipped(user) for user in scenarios.users)


def _is_shipped(user: type) -> bool:
    return user.__module__.split(".")[0] == SHIPPED


def _json(plan: Plan) -> JsonDialect | None:
    """The protocol, where the plan describes it."""
    return plan.endpoint.json if plan.endpoint.dialect == "json" else None


def _can_publish(described: JsonDialect) -> bool:
    return described.publish is not None and (not _names_by_id(described) or has_id(described.publish))


def _names_by_id(described: JsonDialect) -> bool:
    """Whether what confirms a message names it by its id."""
    return described.acks == "delivery" or (
        described.acks == "frame" and described.ack is not None and bool(described.ack.id)
    )


def _expects_something(plan: Plan, described: JsonDialect | None) -> bool:
    """Whether messages would be answered or delivered."""
    if described is None:
        return True
    return described.publish is not None and (described.acks != "none" or plan.load.room_count > 0)


def _published(plan: Plan, described: JsonDialect, pattern: str) -> tuple[str, Any]:
    """The key and the template of a message; None: that of the reference endpoint's REST interface."""
    if pattern != "websocket" and plan.endpoint.rest.body is not None:
        return "endpoint.rest.body", plan.endpoint.rest.body
    return "endpoint.json.publish", described.publish


def _check_id(plan: Plan, described: JsonDialect, key: str, template: Any, *, posts: bool) -> None:
    """A message says which one it is, where its ack or its deliveries must."""
    acked = _names_by_id(described) and not posts and plan.endpoint.order != "fifo"
    if not acked and not plan.load.room_count:
        return
    if has_id(template):
        return
    what = "ack" if acked and described.acks == "frame" else "delivery"
    path = described.ack.id if what == "ack" and described.ack is not None else described.delivery.id
    raise PlanError(
        f"{key}: it has no {{id}}, so no {what} can give it back at endpoint.json.{what}.id, "
        f'"{path}"; put "{{id}}" where the protocol has the message\'s id'
    )


def _check_requests(described: JsonDialect) -> None:
    """A request whose answer names it must contain a name."""
    for name, answer, rule in (("join", "ack", described.ack), ("leave", "ack", described.ack),
                               ("ping", "pong", described.pong)):  # fmt: skip
        template = getattr(described, name)
        if template is not None and rule is not None and rule.id and not has_id(template):
            raise PlanError(
                f"endpoint.json.{name}: it has no {{id}}, so no {answer} can give it back at "
                f'endpoint.json.{answer}.id, "{rule.id}"; put "{{id}}" where the protocol has the request\'s id'
            )
