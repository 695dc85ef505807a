"""The whole plan: its sections, its time line, its digest, and what must hold between sections."""

import hashlib
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec

from ..errors import PlanError
from .auth import mask_auth, with_files_of
from .chaos import Act
from .check import Check
from .contract import Contract
from .endpoint import Endpoint
from .fitness import Fitness
from .load import Load
from .masking import mask_all, mask_header, mask_url, mask_value
from .observe import Observe
from .reconnect import Reconnect
from .section import Section

JOIN_GRACE_S = 0.5


class Plan(Section, frozen=True, kw_only=True):
    """Everything a run is made from. Two plans that are equal have the same digest."""

    name: str = "run"
    seed: int = 1
    allow_hosts: tuple[str, ...] = ()
    endpoint: Endpoint = Endpoint()
    contract: Contract = Contract()
    load: Load = Load()
    reconnect: Reconnect = Reconnect()
    chaos: tuple[Act, ...] = ()
    """What `reading` makes of `[[chaos]]`: each table by the options of its fault."""
    observe: Observe = Observe()
    check: Check = Check()
    fitness: Fitness = Fitness()

    def __post_init__(self) -> None:
        end_s = self.load_end_s
        for number, act in enumerate(self.chaos):
            if next(act.times_s(end_s), None) is None:
                raise PlanError(f"chaos[{number}]: never happens: the run's load ends {end_s:g} s after its start")
        if not self.load.room_count and self.endpoint.needs_room:
            raise PlanError(
                'load.room_sizes: "none" is for a protocol without rooms, and this endpoint\'s messages name one; '
                'use "own" for a room each'
            )
        self._check_room_per_connection()
        for host in (self.endpoint.host, self.endpoint.rest.host, self.endpoint.proxy_host):
            if self.chaos and host and not is_loopback(host) and host not in self.allow_hosts:
                raise PlanError(
                    f'chaos on "{host}" is not allowed: it is not loopback; if it is yours to break, '
                    f'write allow_hosts = ["{host}"] in the plan'
                )

    def _check_room_per_connection(self) -> None:
        """With {room} in the url or the like, a connection is to one room: its session has exactly one."""
        key = self.endpoint.room_key
        if not key:
            return
        load = self.load
        if not load.room_count:
            raise PlanError(f'{key}: it holds {{room}}, and load.room_sizes is "none"; give the sessions rooms')
        if (count := getattr(load.room_sizes, "per_session", 1)) > 1:
            raise PlanError(
                f"load.room_sizes.per_session: {key} holds {{room}}, so a connection is to one room, "
                f"but a session is in {count}; set it to 1"
            )
        name = load.name_of(0)
        if key in ("endpoint.headers", "endpoint.cookies") and (not name.isascii() or not name.isprintable()):
            raise PlanError(f'load.room_name: "{name}" is not possible in {key}: HTTP allows printable ASCII only')
        if key == "endpoint.cookies" and any(sign in name for sign in ' ",;\\'):
            raise PlanError(f'load.room_name: "{name}" is not possible in a cookie (RFC 6265 4.1.1)')

    @property
    def load_start_s(self) -> float:
        """When the first message is due, in seconds since the run began: who opens has time to join."""
        return (self.load.open_over_s if self.load.arrivals.wait_for_all else 0.0) + JOIN_GRACE_S

    @property
    def load_end_s(self) -> float:
        """When the last message is due at the latest, in seconds since the run began."""
        return self.load_start_s + self.load.duration_s

    @property
    def run_s(self) -> float:
        """How long the run takes when nothing goes wrong, in seconds."""
        return self.load_end_s + self.load.settle_s

    def located(self, folder: Path | None) -> "Plan":
        """The plan as it is carried out: files beside it are found from anywhere. It is never written down."""
        tls = self.endpoint.tls.located(folder) if self.endpoint.tls is not None else None
        endpoint = msgspec.structs.replace(self.endpoint, auth=with_files_of(self.endpoint.auth, folder), tls=tls)
        observe = msgspec.structs.replace(self.observe, auth=with_files_of(self.observe.auth, folder))
        return msgspec.structs.replace(self, endpoint=endpoint, observe=observe)

    def digest(self) -> str:
        """SHA-256 over the canonical, masked form: the same for the same plan on any machine."""
        return hashlib.sha256(msgspec.json.encode(self.masked(), order="deterministic")).hexdigest()

    def masked(self) -> dict[str, Any]:
        """The plan as plain data with what looks like a credential masked: fit for a file."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        data["endpoint"]["url"] = mask_url(self.endpoint.url)
        for part in ("rest", "json"):  # templates of what is sent
            data["endpoint"][part] = mask_all("", data["endpoint"][part])
        data["endpoint"]["serve"] = mask_serve(self.endpoint.serve)
        for section in ("endpoint", "observe"):
            headers = data[section]["headers"]
            data[section]["headers"] = {name: mask_header(name, value) for name, value in headers.items()}
            data[section]["auth"] = mask_auth(data[section]["auth"])
        data["endpoint"]["query"] = {name: mask_header(name, value) for name, value in self.endpoint.query.items()}
        data["endpoint"]["cookies"] = {name: mask_value(value) for name, value in self.endpoint.cookies.items()}
        for key in ("url", "metrics"):
            data["observe"][key] = mask_url(data["observe"][key])
        return data


def mask_serve(options: dict[str, Any]) -> dict[str, Any]:
    """Options of `squall serve` as they may be written down: none is a secret, but a store's url may hold one."""
    return {
        name: [mask_url(str(each)) for each in value] if isinstance(value, list)
        else mask_url(value) if isinstance(value, str) else value
        for name, value in options.items()
    }  # fmt: skip


def is_loopback(host: str) -> bool:
    """Whether a host is this machine for certain: an address of the loopback net, or `localhost` itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
