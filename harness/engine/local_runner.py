"""A run in this process: Locust's local runner as a library, one user per session or crowd, watched until it is over.

It ends by the plan's time line, by the first Ctrl-C (in good order, sealed as interrupted), by the second (at once,
unsealed), or by a failure of ours (sealed as failed, and raised when everything is recorded).
"""

import logging
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment
from locust.event import Events
from rich.console import Console

from ..errors import UNFIT, RunFailed
from ..plan import Plan
from .attachment import attach, detach
from .breakage import scenario_broke
from .generator import Generator
from .live_view import View
from .preparation import Prepared, prepare


def run(plan: Plan, out: Path, beside: Path | None, console: Console, *, dry_run: bool = True) -> Path:
    """Carry out a plan and give its run directory, sealed.

    Args:
        plan: as it was read.
        out: where the run directory is made.
        beside: the plan's file; None: there is none.
        console: for people.
        dry_run: as `prepare`.

    Raises:
        SquallError: it could not begin, or something of ours failed in the middle (then the directory is sealed
            as failed, and the text names it).
    """
    prepared = prepare(plan, out, beside, dry_run=dry_run)
    for warning in prepared.warnings:
        console.print(warning, style="yellow", highlight=False, markup=False, soft_wrap=True)
    generator: Generator | None = None
    try:
        generator = Generator(prepared.orders)
        _carry_out(generator, prepared.scenarios.user, console)
        generator.close()
    except BaseException as error:
        if generator is not None and not isinstance(error, RunFailed):
            generator.close()
        prepared.finish("failed", str(error))
        raise
    _conclude(prepared, generator)
    return prepared.orders.path


def _conclude(prepared: Prepared, generator: Generator) -> None:
    if generator.failure is not None:
        prepared.finish("failed", str(generator.failure))
        path = prepared.orders.path
        raise RunFailed(f"{generator.failure}; the run directory is {path}", directory=path)
    if generator.timeline.interrupted:
        prepared.finish("interrupted", "ended by Ctrl-C")
    else:
        prepared.finish("complete")


def _carry_out(generator: Generator, scenario: Any, console: Console) -> None:
    environment = Environment(user_classes=[scenario], events=Events())  # type: ignore[no-untyped-call]
    environment.events.user_error.add_listener(  # type: ignore[no-untyped-call]
        lambda **failed: generator.fail(scenario_broke(failed["exception"]))
    )
    logging.getLogger("locust").setLevel(logging.ERROR)  # its advice on spawn rates is not for smoothed openings
    logging.getLogger("locust.runners").setLevel(logging.CRITICAL)  # users that have ended puzzle it; errors come to us
    attach(environment, generator)
    runner = environment.create_local_runner()
    users = generator.roster.users
    with View(generator, console) as view:
        handlers = [gevent.signal_handler(number, _stop, generator, view) for number in (signal.SIGINT, signal.SIGTERM)]
        try:
            generator.begin()
            runner.start(users, spawn_rate=users)
            while not generator.over.wait(1.0):
                view.refresh()
        finally:
            for handler in handlers:
                handler.cancel()
            runner.quit()
            detach(environment)


def _stop(generator: Generator, view: View) -> None:
    if generator.timeline.interrupted or generator.over.is_set():
        with suppress(RunFailed):  # a full disk: what was written before is kept
            generator.recorder.flush()
        view.say(f"exited at once: {generator.orders.path} is not sealed, but can be reported")
        os._exit(UNFIT)
    view.say("stopping: waiting for messages under way, then reporting; press Ctrl-C again to exit at once")
    generator.interrupt()
