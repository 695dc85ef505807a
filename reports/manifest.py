"""The part of a run's manifest (`run.json`) that reports read, typed, with defaults for what old runs do not have."""

from typing import Literal

import msgspec

from harness.plan import Fitness as Limits

Json = dict[str, object]
"""JSON that is shown as it is and not looked into."""


class Contract(msgspec.Struct, frozen=True):
    """What the endpoint promised; an absent promise (None) is not judged."""

    throttle_per_s: float | None = None
    throttle_burst: int | None = None
    throttle_posts: bool = False
    throttle_codes: tuple[int, ...] = (429,)
    malformed_codes: tuple[int, ...] | None = None
    stale_within_s: float | None = None
    lifetime_s: float | None = None
    idle_s: float | None = None
    limit_codes: tuple[int, ...] = ()
    expected_closes: tuple[int, ...] = ()
    grows_mib_per_h: float | None = None
    may_outlive_token: bool = False
    token_grace_s: float = 2.0
    delivers_to_sender: bool = True
    order: Literal["none", "sender", "room", "causal"] | None = None
    ordered: bool | None = None
    """What runs before `order` had in its place."""

    @property
    def promised_order(self) -> Literal["none", "sender", "room", "causal"]:
        """What is promised of the order of messages."""
        return self.order or ("none" if self.ordered is False else "sender")


class Load(msgspec.Struct, frozen=True):
    """The plan's `[load]`."""

    sessions: int
    scenario: str = "chat"
    room_name: str = ""
    settle_s: float = 3.0


class DeliveryMatch(msgspec.Struct, frozen=True):
    """The plan's `[endpoint.json.delivery]`."""

    room: str | None = None


class JsonDialect(msgspec.Struct, frozen=True):
    """The plan's `[endpoint.json]`."""

    delivery: DeliveryMatch | None = None


class Endpoint(msgspec.Struct, frozen=True):
    """The plan's `[endpoint]`."""

    dialect: str | None = None
    json: JsonDialect | None = None
    answer_timeout_s: float = 10.0


class Plan(msgspec.Struct, frozen=True):
    """The plan, as the run resolved it."""

    name: str
    load: Load
    contract: Contract
    endpoint: Endpoint = Endpoint()
    fitness: Limits = Limits()


class Scenarios(msgspec.Struct, frozen=True):
    """The scenarios of a run: names and patterns by index; `parts` gives the index of each session, repeatedly."""

    names: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    parts: tuple[int, ...] = ()


class Topology(msgspec.Struct, frozen=True):
    """What the run was spread over."""

    processes: int | None = None


class Skipped(msgspec.Struct, frozen=True):
    """A fault that this machine does not permit."""

    fault: str
    """the fault's name"""
    reason: str
    """why it is not possible here"""


class FaultKind(msgspec.Struct, frozen=True):
    """What a fault is called, whether it takes the connection away, and whether the client stops reading."""

    label: str
    drops: bool
    deaf: bool = False


class Manifest(msgspec.Struct, frozen=True):
    """A run's manifest; times are nanoseconds on the monotonic clock."""

    plan: Plan
    start_ns: int
    load_start_ns: int
    load_end_ns: int
    started: str | None = None
    loop: Literal["open", "closed"] = "open"
    stamps: str | None = None
    scenarios: Scenarios = Scenarios()
    topology: Topology = Topology()
    skipped: tuple[Skipped, ...] = ()
    faults: dict[int, FaultKind] | None = None
