"""`[load]`: how many sessions do what, how often, for how long."""

from typing import Annotated

from msgspec import Meta

from ..errors import PlanError
from ..placeholders import check, fill, names
from .arrivals import Arrivals, Departures
from .room_sizes import Equal, RoomSizesPlan
from .section import Count, NotNegative, Positive, Section
from .shape import Constant, ShapePlan

MOST_SCENARIOS = 16


class Load(Section, frozen=True, kw_only=True):
    """How many sessions do what, how often, for how long.

    Sessions open over `ramp_s` as `arrivals` says; messages are due from half a second later on, for `duration_s`;
    then nothing more is sent and everybody listens for `settle_s` before leaving. `rate_per_s` is of each session,
    and the rate at the beginning if the `shape` changes it. One Locust user drives `sessions_per_user` sessions: with
    many, a session costs no greenlet. `mix` gives several scenarios by weight, in place of `scenario`.
    """

    scenario: str = "chat"
    mix: dict[str, Count] = {}
    sessions: Count = 50
    sessions_per_user: Count = 1
    rooms: Count = 5
    room_sizes: RoomSizesPlan = Equal()
    rate_per_s: NotNegative = 1.0
    shape: ShapePlan = Constant()
    ramp_s: NotNegative = 2.0
    duration_s: Positive = 20.0
    settle_s: NotNegative = 3.0
    payload_bytes: Annotated[int, Meta(ge=1, le=100_000)] = 100
    room_name: str = "room-{room}"
    arrivals: Arrivals = Arrivals()
    departures: Departures = Departures()

    def __post_init__(self) -> None:
        check(self.room_name, ("room",), "load.room_name")
        if "room" not in names(self.room_name) and self.room_count > 1:
            raise PlanError(
                f'load.room_name: "{self.room_name}" names one room for all {self.room_count}; put {{room}} in it'
            )
        if len(self.mix) > MOST_SCENARIOS:
            raise PlanError(f"load.mix: {len(self.mix)} scenarios; at most {MOST_SCENARIOS} can share a run")
        self.shape.check(self.rate_per_s, self.duration_s)
        self.room_sizes.check(self.rooms, self.sessions)
        if not self.arrivals.wait_for_all and self.open_over_s > self.duration_s:
            raise PlanError(
                f"load.arrivals: the last session is due {self.open_over_s:g} s after the first, the load lasts "
                f"{self.duration_s:g} s: raise load.duration_s or arrivals.per_s, or lower load.ramp_s"
            )

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios that are played, by `mix` or `scenario`."""
        return tuple(self.mix) or (self.scenario,)

    @property
    def room_count(self) -> int:
        """How many rooms there are, by `rooms` and `room_sizes`."""
        return self.room_sizes.count(self.rooms, self.sessions)

    @property
    def is_silent(self) -> bool:
        """Whether `rate_per_s` and `shape` make no message due."""
        return self.shape.is_silent(self.rate_per_s)

    def name_of(self, room: int) -> str:
        """The name of a room by its number."""
        return fill(self.room_name, {"room": str(room)})

    @property
    def open_over_s(self) -> float:
        """How long it takes until the last first opening is due, in seconds."""
        return self.sessions / self.arrivals.per_s if self.arrivals.per_s is not None else self.ramp_s

    @property
    def users(self) -> int:
        """How many Locust users drive the sessions."""
        return -(-self.sessions // self.sessions_per_user)
