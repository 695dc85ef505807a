from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.client.reconnect import is_terminal_close, is_terminal_refusal, pause_ns, retry_after_ns
from harness.errors import PlanError
from harness.plan import Reconnect, build_plan
from harness.record.row import Closer, Outcome
from harness.units import SECOND

NOW = 1_800_000_000.0


@given(st.integers(0, 10**9), st.floats(0, 1, exclude_max=True), st.floats(0.01, 100), st.floats(1, 50))
def test_a_pause_is_never_longer_than_the_cap_nor_negative(attempt, chance, first_s, factor):
    policy = Reconnect(first_s=first_s, factor=factor, cap_s=first_s * 3)
    assert 0 <= pause_ns(policy, attempt, chance) <= round(policy.cap_s * SECOND)


def test_pauses_grow_by_the_factor_up_to_the_cap():
    policy = Reconnect(first_s=0.5, factor=3.0, cap_s=10.0, jitter="none")
    assert [pause_ns(policy, n, 0.7) / SECOND for n in range(5)] == [0.5, 1.5, 4.5, 10.0, 10.0]


def test_full_jitter_takes_a_random_part_of_the_pause():
    policy = Reconnect(first_s=2.0)
    assert [pause_ns(policy, 1, chance) / SECOND for chance in (0.0, 0.25, 0.5)] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        (format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True), 90.0),
        (format_datetime(datetime.fromtimestamp(NOW - 90, UTC), usegmt=True), 0.0),
        ("-5", 0.0), ("1.5", 0.0), ("soon", 0.0), ("", 0.0), ("9" * 400, 999_999_999.0), ("٣", 0.0),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert retry_after_ns(Reconnect(), [("Server", "x"), ("RETRY-AFTER", value)], NOW) == seconds * SECOND


def test_only_what_the_endpoint_itself_said_is_terminal():
    policy = Reconnect(terminal_codes=(401, 104, 1008))
    assert is_terminal_refusal(policy, Outcome.REJECTED, 401)
    assert not is_terminal_refusal(policy, Outcome.REJECTED, 503)
    assert not is_terminal_refusal(policy, Outcome.CLOSED, 104)
    assert is_terminal_close(policy, Closer.ENDPOINT, 1008)
    assert not is_terminal_close(policy, Closer.RESET, 104)
    assert not is_terminal_close(policy, Closer.GARBLED, 1008)
    assert not is_terminal_close(policy, Closer.ENDPOINT, 401)  # a poll's status


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"cap_s": 0.1}, "reconnect: cap_s (0.1) is less than first_s (0.5)"),
        ({"factor": 0.5}, "reconnect.factor"),
        ({"jitter": "some"}, "reconnect.jitter"),
        ({"max_attempts": 0}, "reconnect.max_attempts"),
        ({"first": 1.0}, 'unknown key "reconnect.first"; did you mean "first_s"?'),
    ],
)
def test_a_wrong_policy_says_what_is_wrong(table, text):
    with pytest.raises(PlanError) as error:
        build_plan({"reconnect": table})
    assert text in str(error.value)
