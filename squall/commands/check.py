"""`squall check`: send one of each thing, and show what the endpoint's frames are taken for."""

import sys
from typing import Any

import click

from harness.errors import FAIL, PASS

from ..terminal import console
from .registry import command
from .run import plan_options, read_plan

EXITS = (
    "Exit codes: 0 everything was recognised, 1 something was not recognised or not answered, 2 the plan is wrong, "
    "3 no connection."
)


@command(epilog=EXITS)
@click.argument("plan", required=False)
@plan_options
def check(plan: str | None, settings: tuple[str, ...], **flags: Any) -> None:
    """Check a plan against its endpoint in a few seconds.

    Two sessions of one room join, send one message, ping and leave, as far as the plan's protocol has these. Prints
    every frame with what it was taken for and each path of the plan that found nothing. PLAN and options are those of
    `squall run`.
    """
    resolved, path = read_plan(plan, settings, flags)
    from harness.engine import checked, checking  # patches sockets

    found = checking.check(resolved, path)
    shown_on = console()
    for pattern, one in found.items():
        if len(found) > 1:
            shown_on.out(f"-- {pattern}", highlight=False)
        for line in checked.render(one):
            shown_on.out(line, highlight=False)
    is_good = all(one.is_good for one in found.values())
    bad = sum(not each.is_good for one in found.values() for each in one.asked)
    asked = sum(len(one.asked) for one in found.values())
    verdict = f"all {asked} recognised" if is_good else f"{bad} of {asked} not recognised"
    shown_on.out(f"check: {verdict if asked else 'connected; this plan expects no answers'}", highlight=False)
    sys.exit(PASS if is_good else FAIL)
