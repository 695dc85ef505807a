"""How commands end: by the verdict on the endpoint, by nothing with --no-gate, and with 2 for what cannot be judged."""

import json

import pytest
from click.testing import CliRunner

from harness.errors import SquallError
from squall.cli import squall
from tests.reports.conftest import Made


@pytest.fixture
def clean(tmp_path):
    return Made(tmp_path).member(0, 1, 2, 3).chatter()


def call(*arguments):
    """The exit code of a command, and what it printed."""
    done = CliRunner().invoke(squall, [str(argument) for argument in arguments])
    if isinstance(done.exception, SquallError):
        return done.exception.exit_code, str(done.exception)
    return done.exit_code, done.output


def budget(tmp_path, clause):
    path = tmp_path / "b.toml"
    path.write_text(f"[[clause]]\n{clause}\n")
    return path


def verdict(path):
    return json.loads((path / "report.json").read_text())["verdict"]


@pytest.mark.parametrize("command", ["report", "gate"])
@pytest.mark.parametrize(
    ("lose", "status", "code", "word"),
    [
        ((), "complete", 0, "pass"),
        ({(1, 2, 5)}, "complete", 1, "fail"),
        ((), "interrupted", 3, "inconclusive"),
        ({(1, 2, 5)}, "interrupted", 1, "fail"),
    ],
)
def test_a_run_is_judged_by_the_default_budget(tmp_path, command, lose, status, code, word):
    run = Made(tmp_path).member(0, 1, 2, 3).chatter(lose=lose)
    run.report(status)
    ended, text = call(command, run.path)
    assert (ended, f": {word} by the budget default; generator fit" in text) == (code, True)
    if command == "report":
        assert verdict(run.path)["verdict"] == word


@pytest.mark.parametrize("command", ["report", "gate"])
def test_report_and_gate_judge_by_the_same_budget_of_ones_own(clean, tmp_path, command):
    clean.report()
    strict = budget(tmp_path, 'figure = "ledger.all.owed"\nmax = 0')
    assert call(command, clean.path, "--budget", strict)[0] == 1
    assert call(command, clean.path, "--budget", budget(tmp_path, 'figure = "ledger.all.owed"\nmin = 1'))[0] == 0


def test_without_a_gate_a_report_ends_with_0_and_its_verdict_stands(tmp_path):
    run = Made(tmp_path).member(0, 1, 2, 3).chatter(lose={(1, 2, 5)})
    run.report()
    assert call("report", run.path, "--no-gate")[0] == 0
    assert verdict(run.path)["verdict"] == "fail"


@pytest.mark.parametrize("bound", ["max = nan", "min = inf", "equals = -inf", ""])
@pytest.mark.parametrize("command", ["report", "gate"])
def test_a_budget_that_limits_nothing_is_a_usage_error(clean, tmp_path, command, bound):
    clean.report()
    wrong = budget(tmp_path, f'figure = "finding_counts.lost"\n{bound}')
    assert call(command, clean.path, "--budget", wrong)[0] == 2


@pytest.mark.parametrize(
    "options",
    [
        ("--budget=demo", "--no-report"),  # nothing would be judged
        ("--budget=no-such-budget",),
        ("--budget=b.toml",),
    ],
)
def test_a_run_that_could_not_be_judged_as_asked_is_refused_before_it_begins(tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    budget(tmp_path, 'figure = "finding_counts.lost"\nmax = nan')
    assert call("run", "chaos-free", "--url=ws://127.0.0.1:1", *options)[0] == 2
    assert call("run", "--url=ws://127.0.0.1:1", *options)[0] == 2
    assert not (tmp_path / "runs").exists()
