"""The verdict: what decides it, at each boundary, and that no run passes of which nothing was judged."""

import json

import msgspec
import pytest

from harness.errors import UsageError
from harness.record.row import Closer, Flag, Gauge, Kind, Outcome
from reports.budget import Budget, Clause, load_budget
from reports.gate import judge, judged, look_up
from reports.registry import RULES

from .conftest import on_the_page, on_the_terminal, typed


def by(report, **clause):
    """The verdict on this report by one clause."""
    return judge(typed(report), Budget(clause=[Clause(**clause)]))


def default(report):
    return report["verdict"]


def result(report, finding):
    """The result of the default budget's clause on a finding."""
    (one,) = [one for one in default(report)["clauses"] if one["figure"] == f"finding_counts.{finding}"]
    return one["result"]


def late(run, send_ms=0, read_ms=0, took=2):
    """200 messages between two sessions, sent and read so late."""
    run.member(0, 1)
    for seq in range(1, 201):
        at = 3000 + 10 * seq
        run.row(
            Kind.PUBLISH, session=0, seq=seq, room=0, due=at - send_ms, sent=at, arrived=at + took,
            read=at + took + read_ms, flags=Flag.EXACT,
        )  # fmt: skip
        for receiver in (0, 1):
            run.row(
                Kind.DELIVERY, session=receiver, peer=0, seq=seq, room=0, arrived=at + took,
                read=at + took + read_ms, flags=Flag.EXACT,
            )  # fmt: skip
    return run


# -- the four verdicts ---------------------------------------------------------------------------------------------


def test_a_right_endpoint_passes_by_the_default_budget(clean):
    report = clean.report()
    verdict = default(report)
    assert (verdict["verdict"], verdict["fit"], verdict["budget"], verdict["reasons"]) == ("pass", True, "default", [])
    assert {one["figure"] for one in verdict["clauses"]} == {f"finding_counts.{name}" for name in RULES}
    assert verdict["judged"]["lost"] == {"found": 0, "looked_at": 160, "of": "deliveries owed"}
    assert typed(report).verdict.exit_code == 0


def test_every_finding_is_judged_or_says_why_not(clean):
    report = clean.report()
    judged_ones, unjudged = set(default(report)["judged"]), set(report["not_judged"])
    assert judged_ones | unjudged == RULES.keys()
    assert not judged_ones & unjudged
    assert all(one["looked_at"] > 0 for one in default(report)["judged"].values())
    assert all(report["not_judged"].values())


def test_a_finding_fails_by_the_default_budget_and_names_itself(make):
    report = make().member(0, 1, 2, 3).chatter(lose={(1, 2, 5)}).report()
    assert default(report)["verdict"] == "fail"
    assert result(report, "lost") == "fail"
    assert [reason.split(":")[0] for reason in default(report)["reasons"]] == ["lost"]
    assert typed(report).verdict.exit_code == 1


@pytest.mark.parametrize("finding", sorted(RULES))
def test_a_run_of_nothing_judges_nothing(make, finding):
    report = make().report()
    assert report["finding_counts"][finding] is None
    assert report["not_judged"][finding]
    assert default(report)["verdict"] == "unfit"  # the generator never tried
    assert typed(report).verdict.exit_code == 3


def test_nobody_let_in_is_a_failure_of_the_endpoint_and_not_of_the_generator(make):
    run = make()
    for session in range(4):
        run.open(session, outcome=Outcome.REJECTED, code=503)
    report = run.report()
    assert (default(report)["verdict"], default(report)["fit"]) == ("fail", True)
    assert report["finding_counts"]["open-failed"] == 4


def test_what_nobody_confirmed_is_inconclusive(make):
    run = make(contract={"delivers_to_sender": False}).open(0)
    run.row(Kind.JOIN, session=0, room=0, sent=20, arrived=20, flags=Flag.IMPLICIT)
    run.row(Kind.PUBLISH, session=0, seq=1, room=0, due=3000, sent=3000)  # no ack is promised, nothing came
    assert default(run.report())["verdict"] == "inconclusive"


@pytest.mark.parametrize(("code", "verdict"), [(0, "pass"), (1011, "fail")])
def test_connections_that_are_only_held_are_judged(make, code, verdict):
    run = make().open(0).open(1)
    if code:
        run.close(1, 5000, closer=Closer.ENDPOINT, code=code)
    report = run.report()
    assert (default(report)["verdict"], default(report)["fit"]) == (verdict, True)


@pytest.mark.parametrize(("silent", "verdict"), [(True, "pass"), (None, "pass"), (False, "inconclusive")])
def test_a_run_that_was_to_say_something_and_did_not_is_inconclusive(make, silent, verdict):
    assert default(make(silent=silent).open(0).member(1).report())["verdict"] == verdict


# -- nothing owed --------------------------------------------------------------------------------------------------


def test_nothing_owed_although_somebody_was_to_hear_it_is_inconclusive(make):
    report = make().member(0, 1).publish(0, 1, 29_500).report()  # too near the end to be owed
    assert report["finding_counts"]["lost"] is None
    assert default(report)["missing"] == ["lost"]
    assert (result(report, "lost"), default(report)["verdict"]) == ("inconclusive", "inconclusive")


def test_nothing_owed_because_nobody_else_was_there_is_not_judged_and_passes(make):
    report = make(contract={"delivers_to_sender": False}).member(0).publish(0, 1, 3000).report()
    assert (result(report, "lost"), default(report)["verdict"]) == ("not judged", "pass")


def test_a_clause_that_names_a_finding_wants_it_judged(clean):
    report = clean.report()
    (one,) = by(report, figure="finding_counts.stale", equals=0).clauses
    assert (one.result, one.why) == ("inconclusive", report["not_judged"]["stale"])
    assert by(report, figure="finding_counts.stale", equals=0).exit_code == 3


# -- clauses -------------------------------------------------------------------------------------------------------


def test_a_budget_is_judged_clause_by_clause(clean):
    clauses = [
        Clause("figures.response.unaffected.p50", max=100),
        Clause("ledger.all.owed", min=1e9),
        Clause("finding_counts.lost", equals=0),
    ]
    verdict = judge(typed(clean.report()), Budget(clause=clauses, name="mine"))
    assert [one.result for one in verdict.clauses] == ["pass", "fail", "pass"]
    assert (verdict.verdict, verdict.exit_code, verdict.budget) == ("fail", 1, "mine")
    assert [one.margin for one in verdict.clauses] == [98, 160 - 1e9, 0]


def test_a_clause_on_an_absent_figure_fails(clean):
    report = clean.report()
    verdict = by(report, figure="figures.reject.all.p50", max=1e9)
    assert (verdict.clauses[0].value, verdict.clauses[0].result, verdict.verdict) == (None, "fail", "fail")
    assert look_up(typed(report), "figures.no.such") is None


def test_a_budget_with_the_old_names_judges_as_before(clean):
    report = clean.report()
    for old, new in {
        "figures.response.untouched.p50": "figures.response.unaffected.p50",
        "ledger.faulted.owed": "ledger.affected.owed",
        "run.sessions_faulted": "run.sessions_affected",
    }.items():
        assert by(report, figure=old, min=0).clauses[0].value == look_up(typed(report), new) is not None


@pytest.mark.parametrize(
    "bounds",
    ["max = nan", "min = nan", "equals = nan", "max = inf", "min = -inf", "min = 3\nmax = 2", "equals = 3\nmax = 2"],
)
def test_a_bound_that_limits_nothing_or_everything_is_refused(tmp_path, bounds):
    path = tmp_path / "b.toml"
    path.write_text(f'[[clause]]\nfigure = "finding_counts.lost"\n{bounds}\n')
    with pytest.raises(UsageError, match=r"finding_counts\.lost"):
        load_budget(path)


@pytest.mark.parametrize("bounds", ["max = 0", "min = 2\nmax = 2", "equals = 2\nmin = 2", "max = -1.5"])
def test_a_finite_bound_is_accepted(tmp_path, bounds):
    path = tmp_path / "b.toml"
    path.write_text(f'[[clause]]\nfigure = "finding_counts.lost"\n{bounds}\n')
    assert load_budget(path).clause


@pytest.mark.parametrize("figure", ["finding_counts.losst", "verdict.fit", "verdict.judged.lost.looked_at"])
def test_a_figure_that_is_none_is_refused(tmp_path, figure):
    path = tmp_path / "b.toml"
    path.write_text(f'[[clause]]\nfigure = "{figure}"\nequals = 0\n')
    with pytest.raises(UsageError, match=figure.replace(".", r"\.")):
        load_budget(path)


# -- our own delay -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "expected"), [(50.0, "pass"), (49.9, "inconclusive"), (11.0, "inconclusive")])
def test_a_response_is_judged_up_to_a_send_delay_of_a_fifth_of_its_limit(make, limit, expected):
    report = late(make(), send_ms=10).report()
    assert report["fitness"]["verdict"] == "fit"
    assert report["figures"]["lag"]["all"]["p99"] == 10
    assert by(report, figure="figures.response.unaffected.p99", max=limit).clauses[0].result == expected


@pytest.mark.parametrize(("limit", "expected"), [(50.0, "pass"), (49.9, "inconclusive")])
@pytest.mark.parametrize("figure", ["figures.delivery.unaffected.p99", "figures.service.all.p50"])
def test_a_delivery_is_judged_up_to_a_read_delay_of_a_fifth_of_its_limit(make, figure, limit, expected):
    report = late(make(), read_ms=10).report()
    assert report["figures"]["read_lag"]["all"]["p99"] == 10
    assert by(report, figure=figure, max=limit).clauses[0].result == expected


def test_a_read_delay_is_not_held_against_the_response_nor_any_against_counts(make):
    report = late(make(), read_ms=10).report()
    assert by(report, figure="figures.response.all.p99", max=11.0).clauses[0].result == "pass"
    assert by(report, figure="figures.response.all.count", max=200).clauses[0].result == "pass"
    assert by(report, figure="figures.read_lag.all.p99", max=10.0).clauses[0].result == "pass"


def test_a_latency_of_an_unfit_run_is_inconclusive_and_a_count_is_not(make):
    report = late(make(contract={}), send_ms=100).report()  # with no throttle, which it would exceed
    assert report["fitness"]["verdict"] == "unfit"
    assert by(report, figure="figures.response.all.p99", max=1.0).clauses[0].result == "inconclusive"
    assert by(report, figure="finding_counts.lost", equals=0).clauses[0].result == "pass"
    assert (default(report)["verdict"], default(report)["fit"]) == ("unfit", False)


# -- an unfit generator --------------------------------------------------------------------------------------------


def lost(run):
    run.member(0, 1, 2, 3).chatter(lose={(1, 2, 5)})


def leaked(run):
    run.member(0, 1).leave(1, 1000).publish(0, 1, 2000).deliver(0, 0, 1, 2003).deliver(1, 0, 1, 2003)


def accepted(run):
    run.member(0, 1).chatter((0, 1)).probe(0, 100, 3000, Outcome.OK)


def unknown(run):
    run.member(0, 1).chatter((0, 1)).deliver(1, 0, 77, 9000)


def busy(run):
    for _ in range(30):
        run.sample(Gauge.CPU_PERMILLE, 990)


def exhausted(run):
    run.open(3, at=9000, conn=1, outcome=Outcome.CLOSED, code=24)


def stalled(run):
    run.sample(Gauge.LOOP_LAG_NS, 3_000_001_000)


def stepped(run):
    run.sample(Gauge.CLOCK_STEP_NS, 5_000_000)


@pytest.mark.parametrize("wrong", [lost, leaked, accepted, unknown])
@pytest.mark.parametrize(
    ("unfit", "code", "uncertain"),
    [
        (busy, "cpu", set()),
        (exhausted, "exhausted", {lost, unknown}),
        (stalled, "stalled", {lost, unknown}),
        (stepped, "clock-stepped", {lost, unknown, leaked, accepted}),
    ],
)
def test_a_count_that_our_own_failing_cannot_explain_fails_an_unfit_run(make, wrong, unfit, code, uncertain):
    run = make()
    wrong(run)
    unfit(run)
    report = run.report()
    assert [cause["code"] for cause in report["fitness"]["causes"]] == [code]
    assert (default(report)["verdict"], default(report)["fit"]) == ("unfit" if wrong in uncertain else "fail", False)
    verdict = by(report, figure="findings_made", equals=0)
    assert verdict.clauses[0].result == ("inconclusive" if wrong in uncertain else "fail")


def test_as_long_as_anything_is_waited_for_a_generator_may_stand_still(clean):
    clean.sample(Gauge.LOOP_LAG_NS, 3_000_000_000)
    assert "stalled" not in {cause["code"] for cause in clean.report()["fitness"]["causes"]}


@pytest.mark.parametrize(("wrong", "verdict"), [(lost, "unfit"), (leaked, "fail")])
def test_rows_that_are_gone_may_explain_a_loss_and_not_a_leak(make, wrong, verdict):
    run = make(processes=2)  # the second one left no rows
    wrong(run)
    assert default(run.report())["verdict"] == verdict


def test_the_causes_are_the_reasons(clean):
    busy(clean)
    fitness = clean.report()["fitness"]
    assert [cause["text"] for cause in fitness["causes"]] == fitness["reasons"] != []


# -- cut short -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["interrupted", "failed", None])
def test_a_run_that_was_cut_short_is_at_best_inconclusive_and_says_so(clean, status):
    report = clean.report(status)
    assert default(report)["verdict"] == "inconclusive"
    assert default(report)["reasons"]
    assert typed(report).verdict.exit_code == 3


@pytest.mark.parametrize("status", ["interrupted", "failed", None])
def test_a_certain_count_fails_a_run_that_was_cut_short(make, status):
    run = make()
    leaked(run)
    assert default(run.report(status))["verdict"] == "fail"


@pytest.mark.parametrize(
    ("status", "verdict"), [("interrupted", "fail"), ("failed", "inconclusive"), (None, "inconclusive")]
)
def test_a_loss_is_certain_in_a_run_that_ended_in_good_order_and_not_in_a_killed_one(make, status, verdict):
    run = make()
    lost(run)
    assert default(run.report(status))["verdict"] == verdict


def test_too_little_is_no_failure_of_a_run_that_was_cut_short(clean):
    report = clean.report("interrupted")
    assert by(report, figure="ledger.all.owed", min=1e9).clauses[0].result == "inconclusive"
    assert by(report, figure="figures.response.all.p999", max=1.0).clauses[0].result == "inconclusive"
    assert by(report, figure="ledger.all.owed", max=1).clauses[0].result == "fail"


# -- the plan ------------------------------------------------------------------------------------------------------


def edit(run, change):
    path = run.path / "run.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["plan"]["fitness"].update(lag_p99_ms=1e6),
        lambda manifest: manifest["plan"]["contract"].update(ordered=False),
        lambda manifest: manifest.update(digest="0" * 64),
        lambda manifest: manifest.pop("digest"),
    ],
)
def test_a_plan_that_was_edited_after_the_run_never_passes(clean, change):
    edit(clean, change)
    report = clean.report()
    assert report["run"]["plan_edited"] is True
    assert default(report)["verdict"] == "inconclusive"


def test_a_plan_that_was_only_written_differently_was_not_edited(clean):
    edit(clean, lambda manifest: None)  # other spaces, the same plan
    report = clean.report()
    assert (report["run"]["plan_edited"], default(report)["verdict"]) == (False, "pass")


# -- the same everywhere -------------------------------------------------------------------------------------------


def test_terminal_and_page_say_the_verdict_first_and_the_fitness_second(make):
    run = make()
    leaked(run)
    busy(run)
    report = run.report()
    head = on_the_terminal(report).splitlines()[1]
    assert head.index("fail") < head.index("unfit")
    page = on_the_page(report)
    assert page.index('class="verdict fail"') < page.index('class="unfit"')
    for one in default(report)["clauses"]:
        assert f"<td>{one['figure']}</td>" in page


def test_what_was_judged_is_said_with_how_much_was_looked_at(clean):
    report = clean.report()
    for text in (on_the_terminal(report, 1000), on_the_page(report)):
        assert "lost: 0 of 160 deliveries owed" in text


def test_a_verdict_survives_its_json_and_another_budget_replaces_it(clean, tmp_path):
    report = typed(clean.report())
    path = tmp_path / "b.toml"
    path.write_text('name = "strict"\n[[clause]]\nfigure = "ledger.all.owed"\nmax = 0\n')
    again = judged(report, path)
    assert (again.verdict.verdict, again.verdict.budget, again.verdict.judged) == (
        "fail", "strict", report.verdict.judged,
    )  # fmt: skip
    assert msgspec.convert(msgspec.to_builtins(again), type(again)) == again
