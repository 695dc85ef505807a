"""An endpoint that is wrong in one way shows under that name and no other; a right one shows nothing.

Defects whose findings are disjoint share a run: what is found in it is all that its defects are to show, and no more.
"""

import pytest

from tests.integration.loose import LOOSE

pytestmark = pytest.mark.slow(reason="a whole run for every few defects")

AT_ONCE = 6
BIG_FRAMES = ("--set", "endpoint.serve.max-frame-bytes=131072")  # what is too long shall be the schema's to refuse
CALM = ("--set", "chaos=[]")
SHORT_LIVED = (
    "--set",
    'endpoint.auth={kind="jwt", ttl_s=5.0, claims={sub="user-{session}", tenant="squall", roles=["member"]}}',
)
OVERLOAD = (*CALM, "--sessions=10", "--rooms=2", "--rate=14")  # its clean twin is in test_throttles.py
PATIENT = ("--set", "endpoint.answer_timeout_s=4")  # what comes late in the run shall be unanswered in time
ONE_ORDER = ("--set", "contract.order=room")

# defect -> what it must show as, and nothing else
FINDINGS = {
    "": set(),
    "lose=0.01": {"lost"},
    "duplicate=0.01": {"duplicated"},
    "stale-never": {"stale"},
    "throttle-off": {"throttle-not-enforced"},
    "schema-off": {"malformed-accepted"},
    "reorder=0.1": {"reordered"},
    "disorder=0.1": {"out-of-total-order"},
    "alter=0.05": {"altered"},
    "impersonate=0.05": {"impersonated"},
    "leak-room=0.02": {"leaked"},
    "ghost=0.02": {"unknown-delivery"},
    "poisoned-room": {"lost"},
    "half-open-late=20": {"stale"},
    "forgets=0.05": {"forgotten"},
    "cuts=0.001": {"unexpected-close"},
    "connect-fails=0.2": {"open-failed"},
    # who has lost a membership may not speak either
    "reconnect-drops": {"lost", "wrongly-rejected"},
    "ack-never=0.05": {"unanswered"},
    "wrong-id=0.05": {"unanswered"},
    "error-without-id": {"error-without-id"},
    "wrong-error-code": {"wrong-code"},
    # two wrongs: it was valid, and then it came
    "refuse-delivered=0.02": {"refused-but-delivered", "wrongly-rejected"},
    "throttle-low=0.1": {"throttle-too-strict"},
    "throttle-fast=1.3": {"throttle-not-enforced"},
    "throttle-slow=0.5": {"throttle-too-strict"},
    "throttle-silent": {"throttled-silently"},
    "token-outlived": {"outlived-token"},
    "schema-extra": {"malformed-accepted"},
    "schema-oversize": {"malformed-accepted"},
    "schema-deep": {"malformed-accepted"},
}

# defect -> the figure that it moves, and at least how far (ms); what it must leave alone
SLOW = {
    "ack-late=300": ("response", "delivery", 300),
    "delay=300": ("delivery", "response", 300),
    "connect-heavy=100": ("open", "response", 300),
}

# What else such a run shows: a message that is due while its session still connects is not sent.
BESIDES = {"connect-heavy=100": {"not-sent"}}

# The defects that share a run, and what that run needs.
RUNS = {
    ("",): (*LOOSE, *ONE_ORDER),
    ("disorder=0.1", "alter=0.05", "impersonate=0.05"): (*ONE_ORDER, *CALM),  # what is held back is no slow reader
    ("lose=0.01", "duplicate=0.01", "reorder=0.1", "leak-room=0.02", "ghost=0.02"): (),
    ("schema-extra", "schema-oversize", "schema-deep"): (),
    ("schema-off", "throttle-off", "half-open-late=20"): (),
    ("ack-never=0.05", "wrong-error-code", "forgets=0.05", "poisoned-room"): PATIENT,
    ("wrong-id=0.05", "reconnect-drops"): PATIENT,
    ("refuse-delivered=0.02", "throttle-silent"): (),
    ("cuts=0.001", "connect-fails=0.2"): CALM,  # a cut may fall into a burst or on a malformed payload
    ("error-without-id",): PATIENT,
    ("throttle-low=0.1", "stale-never"): (),
    ("throttle-fast=1.3",): OVERLOAD,
    ("throttle-slow=0.5",): OVERLOAD,
    ("ack-late=300",): (),
    ("token-outlived",): SHORT_LIVED,
    ("delay=300", "connect-heavy=100"): (),
}
RUN_OF = {defect: defects for defects in RUNS for defect in defects}

# These show under one name, and each by a damage of its own.
DAMAGE = {"schema-extra": "extra-key", "schema-oversize": "too-long", "schema-deep": "too-deep"}

# How often a finding must be counted: what the defect is told, or what the plan's faults come to, exactly or about.
EXACTLY = {
    ("stale-never", "stale"): lambda report: 10,  # all that were dropped but for those that closed
    ("half-open-late=20", "stale"): lambda report: 5,  # half-open and stalled
    ("throttle-silent", "throttled-silently"): lambda report: report["rejections"]["throttle"]["bursts"],
    ("wrong-error-code", "wrong-code"): lambda report: report["rejections"]["malformed"]["sent"],
}
ABOUT = {
    ("lose=0.01", "lost"): lambda report: 0.01 * report["ledger"]["all"]["owed"],
    ("duplicate=0.01", "duplicated"): lambda report: 0.01 * report["ledger"]["deliveries"],
    ("reorder=0.1", "reordered"): lambda report: 0.1 * report["ledger"]["deliveries"],
    ("disorder=0.1", "out-of-total-order"): lambda report: 0.1 * report["ledger"]["deliveries"],
    ("alter=0.05", "altered"): lambda report: 0.05 * report["ledger"]["deliveries"],
    ("impersonate=0.05", "impersonated"): lambda report: 0.05 * report["ledger"]["deliveries"],
    ("leak-room=0.02", "leaked"): lambda report: 0.02 * report["ledger"]["messages_accepted"],
    ("ghost=0.02", "unknown-delivery"): lambda report: 0.02 * report["ledger"]["deliveries"],
    ("poisoned-room", "lost"): lambda report: 0.3 * report["ledger"]["all"]["owed"],  # for half the run, 3 rooms of 5
    ("cuts=0.001", "unexpected-close"): lambda report: 0.001 * report["ledger"]["deliveries"],
    ("connect-fails=0.2", "open-failed"): lambda report: 0.2 * sum(report["outcomes"]["open"].values()),
    ("ack-never=0.05", "unanswered"): lambda report: 0.05 * report["ledger"]["messages_accepted"],
    ("wrong-id=0.05", "unanswered"): lambda report: 0.05 * report["ledger"]["messages_accepted"],
    ("refuse-delivered=0.02", "wrongly-rejected"): lambda report: 0.02 * report["ledger"]["messages_accepted"],
    ("refuse-delivered=0.02", "refused-but-delivered"): lambda report: 0.02 * report["ledger"]["deliveries"],
}
FACTOR = 3


class Runs:
    """One run for each group of defects, some at a time; `runs[defect]` waits for its own and lets the next begin."""

    def __init__(self, squall, plan):
        self._squall, self._plan = squall, plan
        self._waiting = list(RUNS)
        self._started, self._done = {}, {}

    def __getitem__(self, defect):
        defects = RUN_OF[defect]
        if defects not in self._done:
            self._begin(defects)
            while self._waiting and len(self._started) < AT_ONCE:
                self._begin(self._waiting[0])
            self._done[defects] = self._squall.wait(self._started.pop(defects))
        return self._done[defects]

    def _begin(self, defects):
        if defects in self._waiting:
            self._waiting.remove(defects)
            listed = ", ".join(f'"{defect}"' for defect in defects if defect)
            more = ["--set", f"endpoint.serve.defect=[{listed}]"] if listed else []
            self._started[defects] = self._squall.start_run(self._plan, *BIG_FRAMES, *RUNS[defects], *more)


@pytest.fixture(scope="module")
def runs(shared_squall, chaotic_plan):
    return Runs(shared_squall, chaotic_plan)


def shown(defect):
    """What a defect must show as, with the damage where the name alone does not tell it from another defect."""
    return {(name, DAMAGE.get(defect)) for name in FINDINGS.get(defect, ())}


@pytest.mark.parametrize("defects", RUNS, ids=" ".join)
def test_defects_that_share_a_run_show_as_different_things(defects):
    assert len(set().union(*map(shown, defects))) == sum(len(shown(defect)) for defect in defects)


def test_every_defect_that_is_to_show_is_in_one_run():
    listed = [defect for defects in RUNS for defect in defects]
    assert sorted(listed) == sorted([*FINDINGS, *SLOW])


@pytest.mark.parametrize("defect", FINDINGS)
def test_a_defect_shows_under_its_own_name_and_no_other(runs, defect):
    run = runs[defect]
    report, findings = run.report, run.findings
    assert report["run"]["status"] == "complete", run.err
    assert set(findings) == set().union(*(FINDINGS.get(each, ()) for each in RUN_OF[defect])), report["findings"]
    for name in FINDINGS[defect]:
        if exactly := EXACTLY.get((defect, name)):
            assert findings[name] == exactly(report)
        elif about := ABOUT.get((defect, name)):
            assert about(report) / FACTOR < findings[name] < about(report) * FACTOR
    if damage := DAMAGE.get(defect):
        probes = report["rejections"]["malformed"]["by_damage"][damage]
        assert probes["accepted"] == probes["sent"] > 0


@pytest.mark.parametrize("defect", SLOW)
def test_a_slow_endpoint_shows_in_its_own_figure_and_as_no_finding(runs, defect):
    moved, still, least_ms = SLOW[defect]
    run = runs[defect]
    figures = run.report["figures"]
    besides = set().union(*(BESIDES.get(each, set()) for each in RUN_OF[defect]))
    assert set(run.findings) <= besides, run.report["findings"]
    assert figures[moved]["all"]["p50" if moved != "open" else "max"] > least_ms > figures[still]["all"]["p50"]


def test_a_connection_that_ends_with_its_token_is_no_finding(shared_squall, chaotic_plan):
    run = shared_squall.run(chaotic_plan, *BIG_FRAMES, *SHORT_LIVED)
    assert run.findings == {}, run.report["findings"]
    assert run.report["tokens"]["ended"] >= run.report["run"]["sessions"]
    assert set(run.report["closes"]["expected"]) == {"token"}


def test_a_clean_run_did_all_that_it_was_told(runs):
    report = runs[""].report
    assert report["fitness"]["verdict"] == "fit", report["fitness"]
    assert report["figures"]["response"]["unaffected"]["count"] > 100
    assert runs[""].out.count("\n") == 1


def test_receivers_that_hear_answers_first_break_causal_order_where_it_is_promised(shared_squall):
    load = ("--sessions=20", "--rooms=2", "--rate=3", "--duration=4", "--set", "chaos=[]")
    causal = ("--set", "contract.order=causal")
    run = shared_squall.run("demo", *load, *causal, "--set", 'endpoint.serve.defect="disorder=0.1"')
    assert set(run.findings) == {"out-of-causal-order"}
    assert shared_squall.run("demo", *load, *causal).report["finding_counts"]["out-of-causal-order"] == 0
