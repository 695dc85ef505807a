"""The same run under Locust's own command line: `locust -f locustfile.py`, web UI, headless, `--processes`, workers.

Locust says how many users exist and where; the plan says the rest. The process that Locust calls the master makes the
run directory and sends the workers their orders before they spawn (one directory, one shard per worker), and seals it
when every worker has reported that its shard is closed.
"""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

from ..errors import FAIL, PASS, UNFIT, SquallError
from ..plan import Plan, load_plan
from ..plan.shipped import find
from ..record.row import Outcome
from ..record.run_directory import Status
from ..transport.clock import Clock
from ..units import SECOND
from .attachment import attach, attached, detach
from .breakage import scenario_broke
from .embedded import make_secret
from .generator import Generator
from .locust_options import as_locust_wants, stay_local
from .orders import Orders, unpacked
from .preparation import Prepared, prepare
from .scenario_loading import load_scenarios
from .self_metrics import Warnings
from .timeline import ending_ns, load_ns
from .users import RealtimeUser

BEGIN, STOP, DONE = "squall-begin", "squall-stop", "squall-done"
SPARE_S = 20.0
"""How much longer than it can take the end of a run is waited for."""
WARN_EVERY = 5
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Judge = Callable[[Path], int]
"""Reports a sealed run directory and gives the exit code of its verdict."""

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


def run_under_locust(judge: Judge | None = None) -> type[RealtimeUser]:
    """Hook the plan of SQUALL_PLAN into Locust, and give the user class to run.

    A plan that is wrong ends the process with one line and the exit code.

    Args:
        judge: reports a sealed run directory and gives the exit code of its verdict; None: no verdict is made.
    """
    from locust import events

    try:
        plan, path = plan_from_environment()
        scenario = load_scenarios(plan.load, path.parent if path is not None else None).user
    except SquallError as error:
        print(f"squall: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    install(events, plan, path, judge)
    return scenario


def install(events: Any, plan: Plan, beside: Path | None = None, judge: Judge | None = None) -> None:
    """Hook a plan into Locust's events; to be called once, by a locustfile."""
    if plan.endpoint.is_embedded:
        make_secret()  # before Locust forks, so that the workers have it too
    ours = _LocustRunner(plan, beside, Path(os.environ.get("SQUALL_OUT", "runs")), judge)
    events.init_command_line_parser.add_listener(stay_local)
    events.init.add_listener(ours.init)
    events.test_start.add_listener(ours.test_start)
    events.test_stopping.add_listener(ours.test_stopping)
    events.user_error.add_listener(ours.user_error)


class _LocustRunner:
    """One process under Locust: alone, master or worker."""

    def __init__(self, plan: Plan, beside: Path | None, out: Path, judge: Judge | None) -> None:
        self._plan = plan
        self._judge = judge
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
        """Locust is about to be ready.

        Its --run-time is a timer of gevent's loop, which counts from when the loop last looked at the clock: before
        all that has been imported since. Without a fresh look a slow import would shorten the run by as much.
        """
        gevent.get_hub().loop.update_now()
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
        environment.process_exit_code = UNFIT  # until there is a verdict: Locust may end the test before it began
        run_time = getattr(environment.parsed_options, "run_time", None)
        self._run_ns = (Clock.now(), round(float(run_time or 0) * SECOND))
        clients = sorted(runner.clients.keys()) if isinstance(runner, MasterRunner) else ["local"]
        try:
            plan = as_locust_wants(self._plan, environment, runner)
            self._prepared = prepared = prepare(plan, self._out, self._beside, len(clients))
        except SquallError as error:
            self._give_up(error)
            return
        for warning in prepared.warnings:
            logger.warning(warning)
        self._waiting, self._failures, self._interrupted = set(clients), [], False
        self._all_done.clear()
        self._sealed.clear()
        if isinstance(runner, LocalRunner):
            self._start_generator(prepared.orders, lambda failure: self._finished("local", failure))
        else:
            for rank, client in enumerate(clients):
                message = prepared.orders.for_rank(rank).packed() | {"boot": _boot_id()}
                runner.send_message(BEGIN, message, client_id=client)
        gevent.spawn(self._conclude)

    def _conclude(self) -> None:
        """When all workers are done by the plan's time line: seal and end Locust's test."""
        self._all_done.wait()
        if self._seal():
            self._end_test()

    def _seal(self) -> bool:
        """Seal and say where; False when it was done before."""
        prepared, self._prepared = self._prepared, None
        if prepared is None:
            return False
        status: Status = "failed" if self._failures else "interrupted" if self._interrupted else "complete"
        try:
            self._environment.process_exit_code = self._conclusion(prepared, status)
        except Exception:  # a mistake of ours: Locust waits for the end, and would wait for ever
            logger.exception("the run is recorded in %s, and could not be reported", prepared.orders.path)
            self._environment.process_exit_code = UNFIT
        finally:
            self._sealed.set()
        return True

    def _conclusion(self, prepared: Prepared, status: Status) -> int:
        """Seal, judge, and give the exit code."""
        path = prepared.orders.path
        code = UNFIT if self._failures else PASS
        try:
            prepared.finish(status, "; ".join(self._failures))
            for failure in self._failures:
                logger.error(failure)
            logger.info("run directory: %s", path)
            if self._judge is not None:
                verdict = self._judge(path)
                code = verdict if verdict == FAIL else max(code, verdict)
        except SquallError as error:
            logger.error(str(error))
            code = error.exit_code
        return code

    def _end_test(self) -> None:
        if self._environment.web_ui is None:
            self._runner.quit()
        else:
            self._runner.stop()

    def test_stopping(self, environment: Any, **_: Any) -> None:
        """Locust stops the test: end the load in good order and wait for the rest."""
        if self._prepared is None:
            return
        plan = self._prepared.orders.plan
        load_end_ns = load_ns(plan, self._prepared.orders.start_ns)[1]
        began_ns, lasts_ns = self._run_ns
        # Locust's --run-time counts from before we were prepared, the plan's load from after.
        ends_ns = min(load_end_ns, began_ns + lasts_ns) if lasts_ns else load_end_ns
        self._interrupted = Clock.now() < ends_ns - SECOND
        if isinstance(self._runner, MasterRunner):
            for client in sorted(self._waiting):
                self._runner.send_message(STOP, {"interrupted": self._interrupted}, client_id=client)
        else:
            self._end_load(self._interrupted)
        if not self._all_done.wait(sum(ending_ns(plan)) / SECOND + SPARE_S):
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
        def done(failure: str) -> None:
            self._runner.send_message(DONE, failure)

        if msg.data["boot"] != _boot_id():
            done("this worker is on another host: one run, one host (their clocks are not one)")
            return
        try:
            orders = unpacked(msg.data)
        except SquallError as error:
            done(str(error))
            return
        self._start_generator(orders, done)

    def _stop(self, environment: Any, msg: Any, **_: Any) -> None:
        self._end_load(msg.data["interrupted"])

    # -- both ---------------------------------------------------------------------------------------------------

    def user_error(self, user_instance: Any, exception: BaseException, **_: Any) -> None:
        """A task raised: Locust would go on with the next, and the message that was due be nowhere."""
        generator = attached(self._environment)
        user = getattr(user_instance, "user", user_instance)  # Locust gives the user, or the set of its tasks
        if generator is not None and isinstance(user, RealtimeUser):
            generator.fail(scenario_broke(exception))

    def _start_generator(self, orders: Orders, told: Callable[[str], None]) -> None:
        try:
            generator = Generator(orders, self._copy)
        except SquallError as error:
            told(str(error))
            return
        attach(self._environment, generator)
        generator.begin()
        gevent.spawn(self._watch, generator, told)

    def _watch(self, generator: Generator, told: Callable[[str], None]) -> None:
        warnings = Warnings(WARN_EVERY)
        while not generator.over.wait(1.0):
            for text in warnings.fresh(generator.run.metrics.warnings):
                logger.warning("process %s: %s", generator.orders.rank, text)
        failure = ""
        try:
            generator.close()
        except SquallError as error:
            failure = str(error)
        detach(self._environment)
        told(str(generator.failure or failure))

    def _end_load(self, interrupted: bool) -> None:
        generator = attached(self._environment)
        if generator is not None:
            if interrupted:
                generator.interrupt()
            else:
                generator.end_load()

    def _copy(self, name: str, response_ns: int, outcome: Outcome, code: int) -> None:
        """What Locust's web UI and console show; nothing of ours reads it."""
        failed = None if outcome is Outcome.OK else _Refused(f"{outcome.name.lower()} {code or ''}".strip())
        self._environment.events.request.fire(
            request_type="WS", name=name, response_time=response_ns / 1e6, response_length=0, exception=failed,
            context={},
        )  # fmt: skip


def _boot_id() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
