"""The practice plan against an endpoint that was started apart, as its page says."""

import os
import secrets

import pytest


@pytest.fixture
def served(squall, monkeypatch):
    """Start `squall serve` with these options; its url. Runs get the same secret by the environment."""
    monkeypatch.setitem(os.environ, "SQUALL_JWT_SECRET", secrets.token_urlsafe(48))
    return lambda *options: squall.start("serve", *options).stdout.readline().strip()


@pytest.mark.parametrize(("options", "finding"), [((), set()), (("--defect", "lose=0.05"), {"lost"})])
def test_the_practice_plan_judges_what_the_reference_endpoint_promises(squall, served, options, finding):
    url = served("--ping-interval-s", "1", "--ping-timeout-s", "1", *options)
    more = ("--sessions", 20, "--duration", 16)
    run = squall.run("practice", "--url", f"{url}?client={{key}}", *more)
    report = run.complete_report
    assert set(run.findings) == finding, report["findings"]
    unjudged = {name for name, count in report["finding_counts"].items() if count is None}
    assert unjudged == {
        "memory-grows", "login-failed", "outlived-token", "out-of-causal-order", "throttled-unpromised"
    }  # fmt: skip
    assert report["stale"]["detected"] == report["stale"]["dropped"] == 6
