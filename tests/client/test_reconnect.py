import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.client.reconnect import asked_s, is_terminal_close, is_terminal_refusal, pause_ns, retry_after_ns
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
        ("-5", 0.0), ("1.5", 0.0), ("soon", 0.0), ("", 0.0), ("9" * 5000, 999_999_999.0), ("٣", 0.0),
        ("0000000012", 12.0), ("0", 0.0), ("0" * 5000, 0.0), ("999999999", 999_999_999.0),
        ("12345678901", 999_999_999.0), ("Sun, 31 Feb 2027 08:00:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert retry_after_ns(Reconnect(), [("Server", "x"), ("RETRY-AFTER", value)], NOW) == seconds * SECOND


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Kolkata"])
def zone(request, monkeypatch):
    """This machine's time zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"])
def test_each_form_of_an_http_date_is_utc_wherever_we_are(zone, form):
    for day in (0, 10):  # a day of the month of one digit and of two
        now = NOW + day * 86_400
        value = datetime.fromtimestamp(now + 90, UTC).strftime(form)
        assert retry_after_ns(Reconnect(), [("Retry-After", value)], now) == 90 * SECOND, value


@pytest.mark.parametrize(("year", "meant"), [("27", 2027), ("70", 2070), ("77", 2077), ("78", 1978), ("94", 1994)])
def test_a_year_of_two_digits_is_at_most_fifty_years_ahead(year, meant):
    now = datetime(2027, 1, 15, tzinfo=UTC).timestamp()
    wanted = max(0.0, datetime(meant, 1, 15, tzinfo=UTC).timestamp() - now)
    assert asked_s(f"Friday, 15-Jan-{year} 00:00:00 GMT", now) == wanted


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
