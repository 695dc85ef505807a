"""Malformed: a session sends broken payloads, which the endpoint must refuse one by one."""

from typing import TYPE_CHECKING

from ..plan.chaos import Act
from ..plan.section import Count
from ..record.row import NO_ROOM, Outcome
from ..units import SECOND
from .fault import Fault, FaultRun, Target, fault

if TYPE_CHECKING:
    from .payloads import Malformer

PROBE_GAP_S = 0.02
RETRY_NS = SECOND // 5


class MalformedOptions(Act, frozen=True, kw_only=True, tag_field="fault", tag="malformed"):
    """`messages` payloads are sent one after the other: against the schema, or not JSON at all."""

    messages: Count = 20


@fault(
    "malformed",
    number=7,
    options=MalformedOptions,
    summary="the client sends broken payloads, one after the other",
    kernel_sees="ordinary segments",
    code_sees="messages that break the schema or are not JSON, each of which it should refuse",
    lasts=True,
)
class Malformed(Fault[MalformedOptions]):
    """Send each payload when the one before is answered, over reconnects if the endpoint closes."""

    def __init__(self, options: MalformedOptions, target: Target) -> None:
        super().__init__(options, target)
        self._left = options.messages
        self._is_lifted = False
        throttle = target.run.plan.contract.throttle_per_s
        # Malformed payloads are judged by their own error: they must not run into the throttle.
        self._gap_ns = round((2 / throttle if throttle else PROBE_GAP_S) * SECOND)

    @classmethod
    def prepare(cls, run: FaultRun) -> None:
        """Read the schemas.

        Raises:
            ValueError: one is not a JSON Schema.
        """
        run.once(_malformers)

    def inject(self) -> None:
        """Send the next payload, as soon as the session can."""
        if self._is_lifted:
            return
        session, run = self.target.session, self.target.run
        if not session.is_open or not session.is_settled:
            run.clock.after(RETRY_NS, self.inject)
            return
        room = min(session.rooms, default=NO_ROOM)
        message = session.next_message(room, run.text)
        malformer = run.once(_malformers)[session.posts]
        damage, data = malformer.damage(session.dialect.publish(message))
        session.probe(data, message.seq, damage, room, self._answered)

    def _answered(self, outcome: Outcome, _code: int) -> None:
        if outcome is not Outcome.ABANDONED:
            self._left -= 1
        if self._left:
            self.target.run.clock.after(self._gap_ns, self.inject)
        else:
            self.target.end()

    def lift(self) -> None:
        """Send no more."""
        self._is_lifted = True


def _malformers(run: FaultRun) -> "dict[bool, Malformer]":
    """By whether the session posts; shared, so that every kind of damage has its turn."""
    from .payloads import Malformer

    seed = run.plan.seed
    return {False: Malformer(run.schemas.get("publish"), seed), True: Malformer(run.schemas.get("post"), seed)}
