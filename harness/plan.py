"""The plan: the frozen, validated description of a run, read from TOML, overridden from the command line, digested.

Pure but for reading the file that it is told to read. It must not know how anything is carried out. The subtle
thing: secrets never stand in a plan, only the names of the environment variables that hold them (`${NAME}` in a url
or header is expanded when a connection is made, never here), so a resolved plan can be written into the run
directory as it is, but for header values and url queries that look like credentials, which are masked.
"""

import difflib
import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from .errors import PlanError
from .model import Fault

EMBEDDED = "embedded"
JOIN_GRACE_S = 0.5

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(gt=0, le=1)]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """The base of every table of a plan: immutable, no unknown key."""


class Auth(Section, frozen=True, kw_only=True):
    """How a connection proves who it is. Secrets are read from the named environment variable when connecting."""

    kind: Literal["none", "token", "jwt"] = "none"
    token_env: str = "SQUALL_TOKEN"
    secret_env: str = "SQUALL_JWT_SECRET"
    algorithm: Literal["HS256", "HS384", "HS512"] = "HS256"
    claims: dict[str, Any] = {}
    ttl_s: Positive = 3600.0
    via: Literal["header", "query", "subprotocol"] = "header"


class Match(Section, frozen=True, kw_only=True):
    """How one kind of frame is recognised (`match`: path -> value, "*" for any) and where its fields stand."""

    match: dict[str, Any]
    id: str = ""
    room: str = ""
    sender: str = ""
    code: str = ""
    reason: str = ""


class JsonDialect(Section, frozen=True, kw_only=True):
    """A JSON protocol described entirely in the plan: what to send for an intent, how to read what comes.

    An absent intent is not sent: without `join` a session is a member from the moment it is open.
    `acks` says how a publish is confirmed: by a frame matching `ack`, by the sender's own delivery, or not at all.
    """

    publish: dict[str, Any]
    delivery: Match
    join: dict[str, Any] | None = None
    leave: dict[str, Any] | None = None
    ping: dict[str, Any] | None = None
    ack: Match | None = None
    error: Match | None = None
    pong: Match | None = None
    acks: Literal["frame", "delivery", "none"] = "frame"

    def __post_init__(self) -> None:
        if self.acks == "frame" and self.ack is None:
            raise PlanError(
                'endpoint.json: acks = "frame" needs [endpoint.json.ack]; or set acks = "delivery" or "none"'
            )
        if self.acks != "frame" and (self.join is not None or self.leave is not None) and self.ack is None:
            raise PlanError("endpoint.json: join and leave are confirmed by a frame: give [endpoint.json.ack]")


class Endpoint(Section, frozen=True, kw_only=True):
    """The system under test: where it is, what it speaks, how to get in.

    `url` and `headers` may hold {session}, {conn}, {key} (this connection's name in the endpoint's list) and ${ENV}.
    `serve` holds options of `squall serve` for the embedded endpoint, by their long names without the dashes.
    """

    url: str = EMBEDDED
    dialect: Literal["envelope", "json"] = "envelope"
    auth: Auth = Auth()
    headers: dict[str, str] = {}
    subprotocols: tuple[str, ...] = ()
    open_timeout_s: Positive = 10.0
    answer_timeout_s: Positive = 10.0
    max_message_bytes: Count = 1 << 20
    json: JsonDialect | None = None
    serve: dict[str, str | int | float | list[str]] = {}

    def __post_init__(self) -> None:
        if self.url != EMBEDDED:
            parts = urlsplit(self.url)
            if parts.scheme not in ("ws", "wss") or not parts.hostname:
                raise PlanError(
                    f'endpoint.url: "{mask_url(self.url)}" is not a WebSocket url; '
                    f'write ws://host:port/path, or "{EMBEDDED}" for the reference endpoint'
                )
            if parts.scheme == "wss":
                raise PlanError(
                    "endpoint.url: wss:// is not supported yet; use ws:// (a TLS proxy can stand before it)"
                )
            if self.serve:
                raise PlanError(f'endpoint.serve: only the embedded endpoint (url = "{EMBEDDED}") takes it')
        if self.dialect == "json" and self.json is None:
            raise PlanError('endpoint.dialect: "json" needs a table [endpoint.json] that describes the protocol')

    @property
    def is_embedded(self) -> bool:
        """Whether the run starts the reference endpoint itself."""
        return self.url == EMBEDDED

    @property
    def host(self) -> str:
        """The host that load and chaos go to."""
        return "127.0.0.1" if self.is_embedded else urlsplit(self.url).hostname or ""


class Contract(Section, frozen=True, kw_only=True):
    """What the endpoint promises; the judgement of rejections, stale connections and the ledger rests on it.

    A promise that is absent (None) is not judged. `schemas` maps `publish` to a JSON Schema file, looked up beside
    the plan and then among the shipped contracts.
    """

    throttle_per_s: Positive | None = None
    throttle_burst: Count | None = None
    throttle_codes: tuple[int, ...] = (429,)
    malformed_codes: tuple[int, ...] = (400,)
    stale_within_s: Positive | None = None
    delivers_to_sender: bool = True
    ordered: bool = True
    schemas: dict[Literal["publish"], str] = {}

    def __post_init__(self) -> None:
        if (self.throttle_per_s is None) != (self.throttle_burst is None):
            raise PlanError("contract: throttle_per_s and throttle_burst go together; give both or neither")


class Load(Section, frozen=True, kw_only=True):
    """How many sessions do what, how often, for how long.

    Sessions open evenly over `ramp_s`; messages are due from half a second later on, for `duration_s`; then nothing
    more is sent and everybody listens for `settle_s` before leaving.
    """

    scenario: str = "chat"
    sessions: Count = 50
    rooms: Count = 5
    rate_per_s: NotNegative = 1.0
    ramp_s: NotNegative = 2.0
    duration_s: Positive = 20.0
    settle_s: NotNegative = 3.0
    payload_bytes: Annotated[int, Meta(ge=1, le=100_000)] = 100
    room_name: str = "room-{room}"
    backoff_first_s: Positive = 0.5
    backoff_cap_s: Positive = 10.0

    def __post_init__(self) -> None:
        if "{room}" not in self.room_name and self.rooms > 1:
            raise PlanError(
                f'load.room_name: "{self.room_name}" names one room for all {self.rooms}; put {{room}} in it'
            )


class Act(Section, frozen=True, kw_only=True):
    """When and to whom a fault happens; times are seconds since the run began (the first session's opening)."""

    at_s: NotNegative | None = None
    every_s: Positive | None = None
    until_s: Positive | None = None
    count: Count | None = None
    share: Share | None = None

    def __post_init__(self) -> None:
        if self.at_s is None and self.every_s is None:
            raise PlanError("chaos: a fault needs at_s (once) or every_s (repeatedly)")
        if self.until_s is not None and self.every_s is None:
            raise PlanError("chaos: until_s goes with every_s")
        if (self.count is None) == (self.share is None):
            raise PlanError("chaos: a fault needs either count (sessions) or share (of the sessions, 0 to 1)")

    def times_s(self, end_s: float) -> list[float]:
        """Every time at which it happens, before `end_s`."""
        if self.every_s is None:
            return [self.at_s] if self.at_s is not None and self.at_s < end_s else []
        first = self.at_s if self.at_s is not None else self.every_s
        last = min(end_s, self.until_s if self.until_s is not None else end_s)
        steps = max(0, int((last - first) / self.every_s) + 1)
        return [at for n in range(steps) if (at := first + n * self.every_s) < last]

    def victims(self, sessions: int) -> int:
        """How many sessions one occurrence takes, at least one and at most all."""
        if self.count is not None:
            return min(self.count, sessions)
        return max(1, min(sessions, round((self.share or 0) * sessions)))


HOW_TO_DROP = {
    "close": Fault.DROP_CLOSE,
    "fin": Fault.DROP_FIN,
    "reset": Fault.DROP_RESET,
    "half-open": Fault.DROP_HALF_OPEN,
    "stall": Fault.DROP_STALL,
}


class Drop(Act, frozen=True, kw_only=True, tag_field="fault", tag="drop"):
    """The client vanishes: it closes, sends only FIN, resets, falls silent (half-open) or stops reading (stall).

    A silent connection is held until `hold_s` after the act or the end of the run; meanwhile the session comes
    back on a new connection, as a person who walked out of the radio cell does.
    """

    how: Literal["close", "fin", "reset", "half-open", "stall"]
    hold_s: Positive | None = None

    @property
    def code(self) -> Fault:
        """The fault as a record's number."""
        return HOW_TO_DROP[self.how]


class Burst(Act, frozen=True, kw_only=True, tag_field="fault", tag="burst"):
    """A session sends `messages` valid messages at once, to exceed the throttle."""

    messages: Count = 50

    @property
    def code(self) -> Fault:
        """The fault as a record's number."""
        return Fault.BURST


class Malformed(Act, frozen=True, kw_only=True, tag_field="fault", tag="malformed"):
    """A session sends `messages` malformed payloads one after the other: against the schema, or not JSON at all."""

    messages: Count = 20

    @property
    def code(self) -> Fault:
        """The fault as a record's number."""
        return Fault.MALFORMED


FaultPlan = Drop | Burst | Malformed


class Observe(Section, frozen=True, kw_only=True):
    """Where to ask what the endpoint believes about its connections (an empty `url`: do not ask).

    `url` is absolute (http://...) or a path on the endpoint's own origin. `list_path` leads to the list in the
    answer, `key_path` from an item of it to the connection's key.
    """

    url: str = ""
    every_s: Positive = 1.0
    list_path: str = "connections"
    key_path: str = "clientId"
    headers: dict[str, str] = {}
    auth: Auth = Auth()


class Plan(Section, frozen=True, kw_only=True):
    """Everything a run is made from. Two plans that are equal have the same digest."""

    name: str = "run"
    seed: int = 1
    allow_hosts: tuple[str, ...] = ()
    endpoint: Endpoint = Endpoint()
    contract: Contract = Contract()
    load: Load = Load()
    chaos: tuple[FaultPlan, ...] = ()
    observe: Observe = Observe()

    def __post_init__(self) -> None:
        end_s = self.load_end_s
        for number, fault in enumerate(self.chaos):
            if not fault.times_s(end_s):
                raise PlanError(f"chaos[{number}]: never happens: the run's load ends {end_s:g} s after its start")
        host = self.endpoint.host
        if self.chaos and not is_loopback(host) and host not in self.allow_hosts:
            raise PlanError(
                f'chaos on "{host}" is not allowed: it is not loopback; if it is yours to break, '
                f'write allow_hosts = ["{host}"] in the plan'
            )

    @property
    def load_start_s(self) -> float:
        """When the first message is due, in seconds since the run began: the last to open has time to join."""
        return self.load.ramp_s + JOIN_GRACE_S

    @property
    def load_end_s(self) -> float:
        """When the last message is due at the latest, in seconds since the run began."""
        return self.load_start_s + self.load.duration_s

    @property
    def run_s(self) -> float:
        """How long the run takes when nothing goes wrong, in seconds."""
        return self.load_end_s + self.load.settle_s

    def digest(self) -> str:
        """SHA-256 over the canonical, masked form: the same for the same plan on any machine."""
        return hashlib.sha256(msgspec.json.encode(self.masked(), order="deterministic")).hexdigest()

    def masked(self) -> dict[str, Any]:
        """The plan as plain data with what looks like a credential masked: fit for a file."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        data["endpoint"]["url"] = mask_url(self.endpoint.url)
        for section in ("endpoint", "observe"):
            headers = data[section]["headers"]
            data[section]["headers"] = {name: mask_header(name, value) for name, value in headers.items()}
        data["observe"]["url"] = mask_url(self.observe.url)
        return data


def is_loopback(host: str) -> bool:
    """Whether a host is this machine for certain: an address of the loopback net, or `localhost` itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


CREDENTIAL = re.compile(r"auth|token|secret|passw|cookie|credential|signature|api[-_]?key|^key$", re.IGNORECASE)
PLACEHOLDER = re.compile(r"\$?\{\w+\}")
MASK = "***"


def mask_header(name: str, value: str) -> str:
    """The value as it may be written down: masked when the name sounds secret, unless it only points elsewhere."""
    return mask_value(value) if CREDENTIAL.search(name) else value


def mask_value(value: str) -> str:
    """`${NAME}` and `{session}` point at a value and may stay; anything else is replaced."""
    return value if PLACEHOLDER.fullmatch(value.removeprefix("Bearer ")) else MASK


def mask_url(url: str) -> str:
    """The url with its user, password and secret-sounding query values masked."""
    url = re.sub(r"(?<=://)[^/@?#]*@", f"{MASK}@", url)

    def masked(found: re.Match[str]) -> str:
        name, value = found["name"], found["value"]
        return f"{found['sep']}{name}={mask_value(value) if CREDENTIAL.search(name) else value}"

    return re.sub(r"(?P<sep>[?&])(?P<name>[^=&#]+)=(?P<value>[^&#]*)", masked, url)


def load_plan(path: Path | None, overrides: Iterable[tuple[str, Any]] = ()) -> Plan:
    """Read a plan file (None: all defaults) and lay `overrides` (dotted key, value) over it.

    Raises:
        PlanError: the file cannot be read or is not TOML, a key is unknown (with the nearest right one), or a
            value is of the wrong type or out of range.
    """
    data: dict[str, Any] = {}
    if path is not None:
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise PlanError(f"cannot read the plan {path}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PlanError(f"{path} is not TOML: {error}") from error
    for key, value in overrides:
        _set(data, key, value)
    try:
        return build_plan(data)
    except PlanError as error:
        raise PlanError(f"{path}: {error}" if path else str(error)) from None


def build_plan(data: Mapping[str, Any]) -> Plan:
    """Make a plan from plain data.

    Raises:
        PlanError: as `load_plan`, without the file's name.
    """
    try:
        return msgspec.convert(data, Plan)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, PlanError):
            raise error.__cause__ from None
        raise PlanError(_explain(str(error), data)) from None


def parse_override(text: str) -> tuple[str, Any]:
    """Read `load.sessions=200` as ("load.sessions", 200); the value is TOML, or else plain text.

    Raises:
        PlanError: there is no `=`.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise PlanError(f'--set "{text}": write KEY=VALUE, for example load.sessions=200')
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


def _set(data: dict[str, Any], key: str, value: Any) -> None:
    *tables, last = key.split(".")
    at: Any = data
    for name in [*tables, last][:-1]:
        at = _item(at, name, key)
    if isinstance(at, list):
        at[_index(at, last, key)] = value
    else:
        at[last] = value


def _item(at: Any, name: str, key: str) -> Any:
    if isinstance(at, list):
        return at[_index(at, name, key)]
    if not isinstance(at, dict) or not isinstance(at.setdefault(name, {}), dict | list):
        raise PlanError(f'--set {key}: "{name}" is a value, not a table')
    return at[name]


def _index(items: list[Any], name: str, key: str) -> int:
    if not name.isdecimal() or int(name) >= len(items):
        raise PlanError(f'--set {key}: the list has items 0 to {len(items) - 1}, not "{name}"')
    return int(name)


def _explain(message: str, data: Mapping[str, Any]) -> str:
    """Turn msgspec's message into one line that names the key, its value and the nearest right key."""
    text, _, path = message.partition(" - at `$")
    where = path.rstrip("`").lstrip(".")
    unknown = re.search(r"unknown field `([^`]*)`", text)
    if unknown is None:
        value = _value_at(data, where)
        shown = f" (it is {value!r})" if value is not None and not isinstance(value, dict | list) else ""
        return f"{where or 'plan'}: {text[:1].lower()}{text[1:]}{shown}"
    name = unknown[1]
    known = _fields_at(where, data)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f'did you mean "{near[0]}"?' if near else f"known keys: {', '.join(sorted(known))}"
    return f'unknown key "{f"{where}.{name}" if where else name}"; {hint}'


def _value_at(data: Any, where: str) -> Any:
    for name in re.findall(r"[^.\[\]]+", where):
        try:
            data = data[int(name)] if isinstance(data, list) else data[name]
        except (KeyError, IndexError, ValueError, TypeError):
            return None
    return data


def _fields_at(where: str, data: Mapping[str, Any]) -> list[str]:
    """The keys that the table at `where` may have."""
    tables: dict[str, type[Struct]] = {
        "": Plan,
        "endpoint": Endpoint,
        "endpoint.auth": Auth,
        "endpoint.json": JsonDialect,
        "contract": Contract,
        "load": Load,
        "observe": Observe,
        "observe.auth": Auth,
    }
    if where.startswith("chaos"):
        faults: dict[str, type[Struct]] = {"drop": Drop, "burst": Burst, "malformed": Malformed}
        fault = _value_at(data, f"{where}.fault")
        return ["fault", *faults.get(str(fault), Drop).__struct_fields__]
    if where.startswith("endpoint.json."):
        return list(Match.__struct_fields__)
    return list(tables[where].__struct_fields__) if where in tables else []
