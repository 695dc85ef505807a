"""Burst: a session sends many valid messages at once, to exceed the endpoint's throttle."""

from ..plan.chaos import Act
from ..plan.section import Count
from ..record.row import NO_ROOM, Outcome
from .fault import Fault, Target, fault


class BurstOptions(Act, frozen=True, kw_only=True, tag_field="fault", tag="burst"):
    """`messages` are sent at once, all to one room."""

    messages: Count = 50


@fault(
    "burst",
    number=6,
    options=BurstOptions,
    summary="the client sends many valid messages at once",
    kernel_sees="many small segments together",
    code_sees="more messages per second than it should accept",
    lasts=True,
)
class Burst(Fault[BurstOptions]):
    """Send all messages in one go; it is over with the last answer."""

    def __init__(self, options: BurstOptions, target: Target) -> None:
        super().__init__(options, target)
        self._left = options.messages

    def inject(self) -> None:
        """Send them to the lowest-numbered room that the session is in."""
        session, target = self.target.session, self.target
        room = min(session.rooms, default=NO_ROOM)
        for _ in range(self.options.messages):
            session.publish(room, target.run.text, target.due, burst=True, done=self._answered)

    def _answered(self, _outcome: Outcome, _code: int) -> None:
        self._left -= 1
        if not self._left:
            self.target.end()
