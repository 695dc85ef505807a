"""Checking: the dry run around which `squall check` is built, and with which `squall run` begins.

check           start what must be started, let sessions talk, and give what came of it
check_silently  the same before a run: refuse a plan by which nothing is recognised, warn of one that is half right
"""

from collections.abc import Sequence
from pathlib import Path

from ..errors import PlanError, RunFailed, SquallError
from ..placeholders import names
from ..plan import Plan
from ..record import run_directory
from ..transport.options import Address
from .checked import Found, render
from .dry_run import NotConnected, dry_run
from .embedded import Embedded, complete
from .plan_checks import can_publish, check_plan, is_silent, plays_shipped
from .preflight import preflight
from .scenario_loading import Scenarios, load_scenarios

SEE = "squall check PLAN shows every frame; squall run --no-check runs all the same"


def check(plan: Plan, beside: Path | None = None) -> dict[str, Found]:
    """Check an endpoint by a plan.

    Args:
        plan: as it was read.
        beside: the plan's file; None: there is none.

    Returns:
        What came of it, for each way in which the plan's scenarios talk.

    Raises:
        PlanError, UsageError: the plan is wrong.
        RunFailed: no connection could be made.
    """
    folder = beside.parent if beside is not None else None
    scenarios = load_scenarios(plan.load, folder)
    check_plan(plan, scenarios)
    embedded = Embedded(plan.endpoint.serve) if plan.endpoint.is_embedded else None
    try:
        if embedded is not None:
            plan = complete(plan, embedded.start())
        nonce = run_directory.new_nonce()
        located = plan.located(folder)
        addresses, _ = preflight(located, nonce, scenarios.patterns)
        return _talk(located, nonce, scenarios, addresses)
    finally:
        if embedded is not None:
            embedded.stop()


def check_silently(plan: Plan, nonce: str, scenarios: Scenarios, addresses: Sequence[Address]) -> list[str]:
    """Check an endpoint before a run.

    Args:
        plan: as it is carried out (`Plan.located`).
        nonce: the run's.
        scenarios: what its sessions will do.
        addresses: of the endpoint, as preflight found them.

    Returns:
        A line for each way of talking in which something was not recognised.

    Raises:
        PlanError: frames came, and none was recognised.
        RunFailed: no frame came at all.
    """
    warnings = []
    try:
        talks = _talk(plan, nonce, scenarios, addresses)
    except NotConnected as error:  # the run itself counts what the endpoint refuses
        return [f"check: {error}"]
    for pattern, found in talks.items():
        # Where the endpoint ended its connections before Squall had sent anything, the plan is not to blame.
        if found.is_blind and found.said and not _may_say_more(plan, scenarios):
            raise _refusal(found)
        if not found.is_good:
            bad = [each for each in found.asked if not each.is_good]
            told = "; ".join(f"{each.what}: {each.found}" for each in bad)
            way = f" ({pattern})" if len(set(scenarios.patterns)) > 1 else ""
            warnings.append(f"check{way}: {told}; squall check PLAN shows every frame")
    return warnings


def _talk(plan: Plan, nonce: str, scenarios: Scenarios, addresses: Sequence[Address]) -> dict[str, Found]:
    is_talking = not is_silent(plan, scenarios)
    return {
        pattern: dry_run(plan, nonce, pattern, addresses, publishes=is_talking and can_publish(plan, pattern))
        for pattern in dict.fromkeys(scenarios.patterns)
    }


def _may_say_more(plan: Plan, scenarios: Scenarios) -> bool:
    """Whether the scenario may send what the check cannot know: a text that the endpoint does take, or at other times.

    Then silence proves nothing, and the run itself shows what is answered.
    """
    described = plan.endpoint.json
    free = described is None or (described.publish is not None and "text" in names(described.publish))
    joins = described is None or described.join is not None
    return not plays_shipped(scenarios) and free and not joins and not plan.check.text


def _refusal(found: Found) -> SquallError:
    """The refusal of a run whose plan recognises nothing: with the frames, for they show why."""
    shown = "\n".join(render(found))
    if found.frames:
        return PlanError(f"check: nothing that the endpoint sent was recognised; {SEE}\n{shown}")
    return RunFailed(f"check: the endpoint answered nothing; {SEE}\n{shown}")
