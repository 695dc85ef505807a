"""An endpoint that is wrong in one way shows under that name and no other; a right one shows nothing."""

import pytest

pytestmark = pytest.mark.slow(reason="a whole run for each defect")

AT_ONCE = 6
BIG_FRAMES = ("--set", "endpoint.serve.max-frame-bytes=131072")  # what is too long shall be the schema's to refuse
MORE = {
    "error-without-id": ("--set", "endpoint.answer_timeout_s=4"),  # bursts come late in the run
    "cuts=0.001": ("--set", "chaos=[]"),  # a cut may fall into a burst or on a malformed payload
}

# defect -> what it must show as, and nothing else
FINDINGS = {
    "": set(),
    "lose=0.01": {"lost"},
    "duplicate=0.01": {"duplicated"},
    "stale-never": {"stale"},
    "throttle-off": {"throttle-not-enforced"},
    "schema-off": {"malformed-accepted"},
    "reorder=0.1": {"reordered"},
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
    "error-without-id": {"unanswered"},
    "wrong-error-code": {"wrong-code"},
    # two wrongs: it was valid, and then it came
    "refuse-delivered=0.02": {"refused-but-delivered", "wrongly-rejected"},
    "throttle-low=0.1": {"wrongly-rejected"},
    "throttle-silent": {"throttled-silently"},
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


class Runs:
    """One run a defect, some at a time, each light; `runs[defect]` waits for its own and lets the next begin."""

    def __init__(self, squall, plan):
        self._squall, self._plan = squall, plan
        self._waiting = [*FINDINGS, *SLOW]
        self._started, self._done = {}, {}

    def __getitem__(self, defect):
        if defect not in self._done:
            self._begin(defect)
            if not defect:  # the clean one is to be fit: it runs alone
                self._done[defect] = self._squall.wait(self._started.pop(defect))
                return self._done[defect]
            for _ in range(AT_ONCE - len(self._started)):
                if self._waiting:
                    self._begin(self._waiting[0])
            self._done[defect] = self._squall.wait(self._started.pop(defect))
        return self._done[defect]

    def _begin(self, defect):
        if defect in self._waiting:
            self._waiting.remove(defect)
            more = ["--set", f'endpoint.serve.defect="{defect}"'] if defect else []
            self._started[defect] = self._squall.start_run(self._plan, *BIG_FRAMES, *MORE.get(defect, ()), *more)


@pytest.fixture(scope="module")
def runs(shared_squall, chaotic_plan):
    return Runs(shared_squall, chaotic_plan)


@pytest.mark.parametrize("defect", FINDINGS)
def test_a_defect_shows_under_its_own_name_and_no_other(runs, defect):
    run = runs[defect]
    assert run.code in (0, 3), run.err
    assert set(run.findings) == FINDINGS[defect], run.report["findings"]


@pytest.mark.parametrize("defect", SLOW)
def test_a_slow_endpoint_shows_in_its_own_figure_and_as_no_finding(runs, defect):
    moved, still, least_ms = SLOW[defect]
    run = runs[defect]
    figures = run.report["figures"]
    assert run.findings == {}, run.report["findings"]
    assert figures[moved]["all"]["p50" if moved != "open" else "max"] > least_ms > figures[still]["all"]["p50"]


def test_a_clean_run_did_all_that_it_was_told(runs):
    report = runs[""].report
    assert report["fitness"]["verdict"] == "fit", report["fitness"]
    assert report["figures"]["response"]["unaffected"]["count"] > 100
    assert runs[""].out.count("\n") == 1
