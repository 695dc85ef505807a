"""The same run under Locust's own command line: `locust -f locustfile.py`, web UI, headless, `--processes`, workers.

It must not know scenarios or reports. Locust says how many users exist and where; the plan says the rest. The subtle
thing: the process that Locust calls the master makes the run directory and tells the workers of it before they spawn
(one directory, one shard a worker), and seals it when every worker has said that its shard is closed.
"""

import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gevent
import msgspec
from gevent.event import Event
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

from ..errors import PASS, UNFIT, PlanError, SquallError
from ..plan import Load, Plan, build_plan, load_plan
from ..plan.shipped import find
from ..record.row import Outcome
from ..record.run_directory import Status
from ..transport.clock import Clock
from ..transport.options import Address
from ..units import SECOND
from .embedded import make_secret
from .generator import Generator
from .preparation import Prepared, prepare
from .scenario_loading import load_scenarios
from .self_metrics import Warnings
from .users import RealtimeUser, attach, attached, detach, scenario_broke

BEGIN, STOP, DONE = "squall-begin", "squall-stop", "squall-done"
PART_S = 30.0
WARN_EVERY = 5
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

logger = logging.getLogger("squall")


class _Refused(Exception):
    """What the stats mirror calls an operation that did not end well."""


def plan_from_environment() -> tuple[Plan, Path | None]:
    """The plan that SQUALL_PLAN names (a path or a shipped name); without it, all defaults.

    Raises:
        PlanError: it is wrong.
    """
    name = os.environ.get("SQUALL_PLAN")
    path = find(name, "plans") if name else None
    return load_plan(path), path


def run_under_locust() -> type[RealtimeUser]:
    """All that a locustfile needs: hooks the plan of SQUALL_PLAN into Locust, and gives the user class to run.

    A plan that is wrong ends the process with one line and the exit code.
    """
    from locust import events

    try:
        plan, path = plan_from_environment()
        scenario = load_scenarios(plan.load, path.parent if path is not None else None).user
    except SquallError as error:
        print(f"squall: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    install(events, plan, path)
    return scenario


def install(events: Any, plan: Plan, beside: Path | None = None) -> None:
    """Hook a plan into Locust's events; to be called once, by a locustfile."""
    if plan.endpoint.is_embedded:
        make_secret()  # before Locust forks, so that the workers have it too
    ours = _LocustRunner(plan, beside, Path(os.environ.get("SQUALL_OUT", "runs")))
    events.init_command_line_parser.add_listener(_stay_at_home)
    events.init.add_listener(ours.init)
    events.test_start.add_listener(ours.test_start)
    events.test_stopping.add_listener(ours.test_stopping)
    events.user_error.add_listener(ours.user_error)


def _stay_at_home(parser: Any, **_: Any) -> None:
    """Locust's web UI and RPC listen on every address by default; ours do not.

    And with `--processes` its master and workers, who are of one family and need no port that others know, meet at a
    free one: at Locust's usual one, runs side by side would take each other's orders, or die of it.
    """
    parser.set_defaults(master_bind_host="127.0.0.1", web_host="127.0.0.1")
    if _forks(sys.argv[1:], os.environ):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        parser.set_defaults(master_bind_port=port, master_port=port)


def _forks(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether Locust is asked for a master with workers of its own (asked before it has read its command line)."""
    names = {argument.partition("=")[0] for argument in arguments}
    forks = "--processes" in names or "LOCUST_PROCESSES" in environment
    return forks and "--worker" not in names and "LOCUST_MODE_WORKER" not in environment


class _LocustRunner:
    """One process under Locust: alone, master or worker."""

    def __init__(self, plan: Plan, beside: Path | None, out: Path) -> None:
        self._plan = plan
        self._beside = beside
        self._out = out
        self._runner: Any = None
        self._environment: Any = None
        self._prepared: Prepared | None = None
        self._waiting: set[str] = set()
        self._failures: list[str] = []
        self._interrupted = False
        self._run_ns = (0, 0)
        """When Locust's test began, and how long it is to last (0: until it is stopped)."""
        self._all_done = Event()
        self._sealed = Event()

    def init(self, environment: Any, runner: Any, **_: Any) -> None:
        """Locust is about to be ready."""
        self._environment, self._runner = environment, runner
        if isinstance(runner, WorkerRunner):
            runner.register_message(BEGIN, self._begin)
            runner.register_message(STOP, self._stop)
        elif isinstance(runner, MasterRunner):
            runner.register_message(DONE, self._done)

    # -- alone or master ----------------------------------------------------------------------------------------

    def test_start(self, environment: Any, **_: Any) -> None:
        """A test begins: make the run directory; alone, begin; as a master, tell the workers."""
        runner = self._runner
        if isinstance(runner, WorkerRunner):
            return
        run_time = getattr(environment.parsed_options, "run_time", None)
        self._run_ns = (Clock.now(), round(float(run_time or 0) * SECOND))
        clients = sorted(runner.clients.keys()) if isinstance(runner, MasterRunner) else ["local"]
        try:
            plan = self._as_locust_wants(environment, runner)
            self._prepared = prepared = prepare(plan, self._out, self._beside, len(clients))
        except SquallError as error:
            self._give_up(error)
            return
        for warning in prepared.warnings:
            logger.warning(warning)
        self._waiting, self._failures, self._interrupted = set(clients), [], False
        self._all_done.clear()
        self._sealed.clear()
        orders = {
            "plan": msgspec.json.encode(prepared.plan).decode(),
            "path": str(prepared.path.resolve()),
            "nonce": prepared.nonce,
            "start_ns": prepared.start_ns,
            "processes": len(clients),
            "schemas": msgspec.json.encode(prepared.schemas).decode(),
            "skipped": sorted(prepared.skipped),
            "addresses": msgspec.json.encode(prepared.addresses).decode(),
            "patterns": list(prepared.scenarios.patterns),
            "boot": _boot_id(),
        }
        if isinstance(runner, LocalRunner):
            self._start_generator(orders | {"rank": 0}, lambda failure: self._finished("local", failure))
        else:
            for rank, client in enumerate(clients):
                runner.send_message(BEGIN, orders | {"rank": rank}, client_id=client)
        gevent.spawn(self._conclude)

    def _as_locust_wants(self, environment: Any, runner: Any) -> Plan:
        """The plan with Locust's number of users, spawn rate and run time.

        The ramp is Locust's: so many users a second, each with its sessions; unless the plan says how many connects a
        second (`arrivals.per_s`): then users need only be there in time.
        """
        options = environment.parsed_options
        if len(self._plan.load.scenarios) > 1 and self._plan.load.sessions_per_user > 1:
            raise PlanError(
                "load.mix: Locust's number of users does not say how many of each scenario drive "
                "load.sessions_per_user sessions: set that to 1, or use `squall run`"
            )
        users = max(1, runner.target_user_count or 1)
        rate = getattr(runner, "spawn_rate", None) or getattr(options, "spawn_rate", None) or 1.0
        load = self._plan.load
        sessions = users * load.sessions_per_user
        changed: dict[str, Any] = {
            "sessions": sessions,
            "rooms": min(load.rooms, sessions),
            # Users come in bursts; their last sessions are due when the next burst would be.
            "ramp_s": (users - (load.sessions_per_user == 1)) / rate,
        }
        run_time = getattr(options, "run_time", None)
        if run_time:
            waits_s = msgspec.structs.replace(self._plan, load=_roomy(load, changed)).load_start_s
            changed["duration_s"] = max(1.0, float(run_time) - waits_s)
        return msgspec.structs.replace(self._plan, load=msgspec.structs.replace(load, **changed))

    def _conclude(self) -> None:
        """When everybody is done by the plan's time line: seal and end Locust's test."""
        self._all_done.wait()
        if self._seal():
            self._end_test()

    def _seal(self) -> bool:
        """Seal and say where; False when it was done before."""
        prepared, self._prepared = self._prepared, None
        if prepared is None:
            return False
        status: Status = "failed" if self._failures else "interrupted" if self._interrupted else "complete"
        code = UNFIT if self._failures else PASS
        try:
            prepared.finish(status, "; ".join(self._failures))
        except SquallError as error:
            logger.error(str(error))
            code = error.exit_code
        for failure in self._failures:
            logger.error(failure)
        logger.info("run directory: %s; next: squall report %s", prepared.path, prepared.path)
        self._environment.process_exit_code = code
        self._sealed.set()
        return True

    def _end_test(self) -> None:
        if self._environment.web_ui is None:
            self._runner.quit()
        else:
            self._runner.stop()

    def test_stopping(self, environment: Any, **_: Any) -> None:
        """Locust stops the test: end the load in good order and wait for the rest."""
        if self._prepared is None:
            return
        load_end_ns = self._prepared.start_ns + round(self._prepared.plan.load_end_s * SECOND)
        began_ns, lasts_ns = self._run_ns
        # Locust's --run-time counts from before we were prepared, the plan's load from after.
        ends_ns = min(load_end_ns, began_ns + lasts_ns) if lasts_ns else load_end_ns
        self._interrupted = Clock.now() < ends_ns - SECOND
        if isinstance(self._runner, MasterRunner):
            for client in sorted(self._waiting):
                self._runner.send_message(STOP, None, client_id=client)
        else:
            self._interrupt()
        settle_s = self._prepared.plan.load.settle_s
        if not self._all_done.wait(settle_s + PART_S):
            self._failures.append(f"no word from {len(self._waiting)} worker(s): their shards may be cut short")
            self._all_done.set()
        self._seal()
        self._sealed.wait()

    def _done(self, environment: Any, msg: Any, **_: Any) -> None:
        self._finished(msg.node_id, msg.data)

    def _finished(self, client: str, failure: str) -> None:
        self._waiting.discard(client)
        if failure:
            self._failures.append(failure)
        if not self._waiting:
            self._all_done.set()

    def _give_up(self, error: SquallError) -> None:
        logger.error("squall: %s", error)
        self._environment.process_exit_code = error.exit_code
        gevent.spawn(self._end_test)

    # -- worker -------------------------------------------------------------------------------------------------

    def _begin(self, environment: Any, msg: Any, **_: Any) -> None:
        self._start_generator(msg.data, lambda failure: self._runner.send_message(DONE, failure))

    def _stop(self, environment: Any, msg: Any, **_: Any) -> None:
        self._interrupt()

    # -- both ---------------------------------------------------------------------------------------------------

    def user_error(self, user_instance: Any, exception: BaseException, **_: Any) -> None:
        """A task raised: Locust would go on with the next, and the message that was due be nowhere."""
        generator = attached(self._environment)
        user = getattr(user_instance, "user", user_instance)  # Locust gives the user, or the set of its tasks
        if generator is not None and isinstance(user, RealtimeUser):
            generator.fail(scenario_broke(exception))

    def _start_generator(self, orders: dict[str, Any], told: Callable[[str], None]) -> None:
        try:
            if orders["boot"] != _boot_id():
                raise SquallError("this worker is on another host: one run, one host (their clocks are not one)")
            generator = Generator(
                build_plan(msgspec.json.decode(orders["plan"])), Path(orders["path"]), orders["nonce"],
                orders["start_ns"], rank=orders["rank"], processes=orders["processes"],
                schemas=msgspec.json.decode(orders["schemas"]),
                skipped=frozenset(orders["skipped"]), mirror=self._copy,
                addresses=msgspec.json.decode(orders["addresses"], type=tuple[Address, ...]),
                patterns=orders["patterns"],
            )  # fmt: skip
        except SquallError as error:
            told(str(error))
            return
        attach(self._environment, generator)
        generator.begin()
        gevent.spawn(self._watch, generator, told)

    def _watch(self, generator: Generator, told: Callable[[str], None]) -> None:
        warnings = Warnings(WARN_EVERY)
        while not generator.over.wait(1.0):
            for text in warnings.fresh(generator.metrics.warnings):
                logger.warning("process %s: %s", generator.rank, text)
        failure = ""
        try:
            generator.close()
        except SquallError as error:
            failure = str(error)
        detach(self._environment)
        told(str(generator.failure or failure))

    def _interrupt(self) -> None:
        generator = attached(self._environment)
        if generator is not None:
            generator.interrupt()

    def _copy(self, name: str, response_ns: int, outcome: Outcome, code: int) -> None:
        """What Locust's web UI and console show; nothing of ours reads it."""
        failed = None if outcome is Outcome.OK else _Refused(f"{outcome.name.lower()} {code or ''}".strip())
        self._environment.events.request.fire(
            request_type="WS", name=name, response_time=response_ns / 1e6, response_length=0, exception=failed,
            context={},
        )  # fmt: skip


def _roomy(load: Load, changed: dict[str, Any]) -> Load:
    """The load so changed, while nobody knows yet how long it is to last."""
    return msgspec.structs.replace(load, **changed, duration_s=1e9)


def _boot_id() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
