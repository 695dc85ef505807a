"""What the names of a run look like, and what is none of its names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.record.row import Content, SignalKind
from harness.wire.ids import (
    Senders,
    connection_key,
    message_id,
    message_prefix,
    read_connection_key,
    read_seq,
    session_name,
)
from harness.wire.signal import Signal

SESSIONS = 8
LAST_SEQ = 2**36 - 1


def delivery(id, sender=None):
    return Signal(SignalKind.DELIVERY, id, sender=sender)


def origin(id, sender=None):
    """Whose message it is; the same before and after every session has been heard."""
    once = Senders("k3", SESSIONS).origin(delivery(id, sender))
    senders = Senders("k3", SESSIONS)
    for session in range(SESSIONS):
        senders.origin(delivery(message_id(session_name("k3", session), 1)))
    assert senders.origin(delivery(id, sender)) == once
    return once


@given(st.integers(0, SESSIONS - 1), st.integers(0, LAST_SEQ), st.integers(0, 2**32 - 1))
def test_what_is_built_is_read_back(session, seq, conn):
    name = session_name("k3", session)
    assert origin(message_id(name, seq)) == (session, seq)
    assert origin(str(seq), name) == origin(str(seq), connection_key(name, conn)) == (session, seq)
    assert read_seq(message_id(name, seq), message_prefix(name)) == seq
    assert read_connection_key(connection_key(name, conn), "k3", SESSIONS) == (session, conn)


@pytest.mark.parametrize(
    ("id", "sender", "expected"),
    [
        ("k3-7-1", None, (7, 1)),
        ("k3-8-1", None, None),
        ("k3-268435456-1", None, None),
        ("1", "k3-7", (7, 1)),
        ("1", "k3-8", None),
        (f"k3-0-{LAST_SEQ}", None, (0, LAST_SEQ)),
        (f"k3-0-{LAST_SEQ + 1}", None, None),
        (f"k3-0-0{LAST_SEQ + 1}", None, None),
        ("k3-0-99999999999", None, None),
        (str(LAST_SEQ), "k3-0", (0, LAST_SEQ)),
        (str(LAST_SEQ + 1), "k3-0", None),
        ("k3-0-" + "9" * 5000, None, None),
        (f"k3-{'9' * 5000}-1", None, None),
    ],
)
def test_a_number_that_the_run_cannot_have_is_nobodys(id, sender, expected):
    assert origin(id, sender) == expected


@pytest.mark.parametrize(
    ("id", "sender"),
    [
        (None, None), ("", None), ("1", None), ("1", ""), ("-1", "k3-0"), ("k4-0-1", None), ("k3x-0-1", None),
        ("k3-0", None), ("k3-0-", None), ("k3--1", None), ("k3-0-1-1", None), ("k3-0-x", None), ("k3-a-1", "k3-0"),
        ("1", "k4-0"), ("1", "0"), ("1.5", "k3-0"), ("k3-0--1", None), ("", "k3-0"), (None, "k3-0"),
    ],
)  # fmt: skip
def test_what_is_no_id_of_the_run_is_nobodys(id, sender):
    assert origin(id, sender) is None


@given(st.text(max_size=40), st.none() | st.text(max_size=20))
def test_whatever_an_endpoint_sends_is_read_without_an_error(id, sender):
    origin(id, sender)
    read_seq(id, "k3-0-")
    read_connection_key(id, "k3", SESSIONS)


def test_a_nonce_of_digits_is_not_taken_for_the_beginning_of_a_number():
    assert Senders("234567", 8).origin(delivery("2345678", "234567-3")) == (3, 2345678)


def test_no_more_names_are_remembered_than_there_are_sessions():
    senders = Senders("k3", SESSIONS)
    for session in [*range(20), *(f"{zeros}3" for zeros in ("0", "00", "000"))]:
        senders.origin(delivery(f"k3-{session}-1"))
        senders.origin(delivery("1", f"k3-{session}-4"))
    assert len(senders._known) == SESSIONS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (str(LAST_SEQ), LAST_SEQ), (str(LAST_SEQ + 1), None), (f"k3-7-{LAST_SEQ}", LAST_SEQ),
        ("k3-7-9" + "9" * 10, None),
        ("k3-8-1", None), ("k3-7-", None), ("", None), ("9" * 5000, None),
    ],
)  # fmt: skip
def test_an_answer_names_a_message_of_the_session_or_none(text, expected):
    assert read_seq(text, message_prefix("k3-7")) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("k3-7-0", (7, 0)), ("k3-8-0", None), (f"k3-0-{2**32 - 1}", (0, 2**32 - 1)), (f"k3-0-{2**32}", None),
        ("k3-7", None), ("k3-7-", None), ("k4-7-0", None), ("", None), ("k3-7-0-0", None), (f"k3-{'9' * 5000}-0", None),
    ],
)  # fmt: skip
def test_a_key_in_the_endpoints_list_is_a_connection_of_the_run_or_none(key, expected):
    assert read_connection_key(key, "k3", SESSIONS) == expected


def name_in(content):
    return content >> Content.NAME_SHIFT


@pytest.mark.parametrize(
    ("id", "name", "number"),
    [
        ("k3-7-12", "k3-7", Content.SESSION + 7),
        ("k3-7-12", "k3-7-0", Content.SESSION + 7),
        ("k3-7-12", "k3-6-1", Content.SESSION + 6),
        ("k3-7-12", None, 0),
        ("12", "k3-7", 0),  # the name is what the message is known by
    ],
)
def test_a_name_of_the_run_says_whose_it_is(id, name, number):
    senders = Senders("k3", SESSIONS)
    assert senders.origin(delivery(id, name)) == (7, 12)
    assert name_in(senders.content) == number


@pytest.mark.parametrize("name", ["anna", "", "k4-7", "k3-", "k3-99999999999", "k3-x", "k3", "\ud800", "x" * 10_000])
def test_any_other_name_is_a_number_of_its_own_that_is_no_session(name):
    senders, others = Senders("k3", SESSIONS), Senders("k3", SESSIONS)
    senders.origin(delivery("k3-7-12", name))
    others.origin(delivery("k3-6-1", name))
    assert 0 < name_in(senders.content) == name_in(others.content) < Content.SESSION
    others.origin(delivery("k3-6-2", f"{name}x"))
    assert name_in(others.content) != name_in(senders.content)


def test_what_a_delivery_bears_fits_a_row():
    assert (Content.SESSION * 2 - 1) << Content.NAME_SHIFT | Content.TEXT < 2**31
