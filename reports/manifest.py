"""The part of a run's manifest (`run.json`) that reports read, typed, with defaults for what old runs do not have."""

from typing import Any, Literal

import msgspec

from harness.plan import Fitness as Limits
from harness.record.codes import NamedCode, code_number, code_numbers

Json = dict[str, object]
"""JSON that is shown as it is and not looked into."""


class Contract(msgspec.Struct, frozen=True):
    """What the endpoint promised; an absent promise (None) is not judged."""

    throttle_per_s: float | None = None
    throttle_burst: int | None = None
    throttle_scope: Literal["connection", "session", "endpoint"] = "connection"
    throttle_posts: bool = False
    throttle_code_values: tuple[Any, ...] = msgspec.field(default=(429,), name="throttle_codes")
    malformed_code_values: tuple[Any, ...] | None = msgspec.field(default=None, name="malformed_codes")
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

    @property
    def throttle_codes(self) -> tuple[int, ...]:
        """The codes that mean "throttled", as rows hold them."""
        return code_numbers(self.throttle_code_values)

    @property
    def malformed_codes(self) -> tuple[int, ...] | None:
        """The codes that mean "malformed", as rows hold them; None: any does."""
        return code_numbers(self.malformed_code_values) if self.malformed_code_values is not None else None

    @property
    def named_codes(self) -> dict[int, str]:
        """The codes of the contract that are no plain numbers, by their numbers, as canonical JSON."""
        values = (*self.throttle_code_values, *(self.malformed_code_values or ()))
        return {int(code): code.name for code in map(code_number, values) if isinstance(code, NamedCode)}


class Load(msgspec.Struct, frozen=True):
    """The plan's `[load]`."""

    sessions: int
    scenario: str = "chat"
    room_name: str = ""
    settle_s: float = 3.0


class DeliveryMatch(msgspec.Struct, frozen=True):
    """The plan's `[endpoint.json.delivery]`."""

    room: str | None = None
    text: str | None = None


class JsonDialect(msgspec.Struct, frozen=True):
    """The plan's `[endpoint.json]`."""

    delivery: DeliveryMatch | None = None
    acks: str | None = None


class Endpoint(msgspec.Struct, frozen=True):
    """The plan's `[endpoint]`."""

    dialect: str | None = None
    order: str = "any"
    json: JsonDialect | None = None
    answer_timeout_s: float = 10.0

    @property
    def confirms_by_delivery(self) -> bool:
        """Whether the sender's own delivery is the answer to a message."""
        return self.dialect == "echo" or (self.json is not None and self.json.acks == "delivery")


class Plan(msgspec.Struct, frozen=True):
    """The plan, as the run resolved it."""

    name: str
    load: Load
    contract: Contract
    endpoint: Endpoint = Endpoint()
    fitness: Limits = Limits()
    chaos: tuple[Json, ...] = ()


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
    silent: bool | None = None
    """Whether nothing was to be published, by design: the run is about its connections; None: it was not recorded."""
    stamps: str | None = None
    scenarios: Scenarios = Scenarios()
    topology: Topology = Topology()
    skipped: tuple[Skipped, ...] = ()
    faults: dict[int, FaultKind] | None = None
