"""A session against a transport that only remembers, on a clock that stands still."""

import json
from itertools import groupby
from types import SimpleNamespace

import pytest

from harness.auth import Access, Denied
from harness.client.context import Context
from harness.client.session import Session
from harness.client.tally import Tally
from harness.errors import UsageError
from harness.plan import build_plan
from harness.record.row import NO_PEER, NO_ROOM, Closer, Damage, Flag, Kind, Misfit, Outcome, SignalKind
from harness.record.spread import Spread
from harness.transport.clock import FakeClock
from harness.transport.websocket import Arrival, Ending, Pong
from harness.units import SECOND
from harness.wire import make_dialect

WHEN = Arrival(5 * SECOND, 5 * SECOND + 10, Flag.EXACT)
SOLO = {
    "acks": "delivery",
    "publish": {"t": "say", "n": "{seq}", "who": "{sender}", "b": "{text}"},
    "delivery": {"match": {"t": "said"}, "id": "n", "sender": "who"},
    "error": {"match": {"t": "err"}, "code": "code"},
}
MUTE = SOLO | {"acks": "none"}
FIRST_OF_EACH = {
    "publish": {"t": "say", "n": "{id}"},
    "ack": {"match": {"0.t": "ok"}, "id": "0.n"},
    "delivery": {"match": {"0.t": "said"}, "id": "0.n"},
}


class Rows:
    """A recorder that keeps rows as dicts."""

    def __init__(self):
        self.rows = []
        self.lines = []

    def row(self, kind, outcome=0, flags=0, code=0, session=0, conn=0, room=NO_ROOM, peer=NO_PEER, seq=0, due=0, sent=0,
            arrived=0, read=0):  # fmt: skip
        self.rows.append({"kind": kind, "outcome": outcome, "flags": flags, "code": code, "session": session,
                          "conn": conn, "room": room, "peer": peer, "seq": seq, "due": due, "sent": sent,
                          "arrived": arrived, "read": read})  # fmt: skip

    def name_code(self, code, at_ns):
        """Codes are named elsewhere."""

    def evidence(self, at_ns, kind, code, text, **more):
        self.lines.append((kind, code, text))

    def of(self, kind):
        return [row for row in self.rows if row["kind"] == kind]


class Pipe:
    """A transport that takes everything at once."""

    def __init__(self, clock):
        self.clock, self.frames = clock, []

    def send(self, data, message=None, **_):
        self.frames.append(json.loads(data) if data.endswith(b"}") else data)
        message.sent = self.clock.now()
        return True


def make(json_dialect=None, **more):
    endpoint = {"url": "ws://127.0.0.1:1/"} | more
    if json_dialect:
        endpoint |= {"dialect": "json", "json": json_dialect}
    plan = build_plan({"endpoint": endpoint, "load": {"sessions": 10, "rooms": 2}})
    clock = FakeClock()
    context = Context(plan, "n", clock, None, Rows(), make_dialect(plan.endpoint), Access(plan.endpoint, "n"), None,
                      Tally(2, True))  # fmt: skip
    session = Session(context, 3)
    session.conn = 0
    session._socket = Pipe(clock)
    session.opened(1, WHEN)
    return session, context.recorder, session._socket, clock


def server(action, request_id, **more):
    frame = {"version": "1.0", "action": action, "requestId": request_id, **more}
    return json.dumps({key: value for key, value in frame.items() if value is not None}).encode()


@pytest.fixture
def told():
    return []


def teller(told):
    return lambda outcome, code: told.append((outcome, code))


def test_a_delivery_before_its_ack_does_not_confuse_either(told):
    session, rows, pipe, _ = make()
    session.publish(1, "hi", due=7, done=teller(told))
    request = pipe.frames[-1]["requestId"]
    session.received(server("message", request, roomId="room-1", payload={"text": "hi", "sender": "x"}), WHEN)
    assert not told
    session.received(server("ack", request, roomId="room-1"), WHEN)
    assert told == [(Outcome.OK, 0)]
    assert [row["seq"] for row in rows.of(Kind.DELIVERY)] == [1]
    publish = rows.of(Kind.PUBLISH)[0]
    assert (publish["due"], publish["sent"], publish["arrived"], publish["room"]) == (7, SECOND, WHEN.arrived, 1)


def test_what_a_room_hears_is_read_once_and_recorded_for_each_member():
    first, rows, _, _ = make()
    context = first._context
    read = []
    decode = context.dialect.decode
    context.dialect.decode = lambda data: read.append(data) or decode(data)
    others = [Session(context, number) for number in (4, 5)]
    one, two = (server("message", f"n-3-{seq}", roomId="room-1", payload={"sender": "x"}) for seq in (1, 2))
    for frame in (b"", one, two, one, b"{"):
        for member in (first, *others):
            member.received(bytes(bytearray(frame)), WHEN)
    heard = [(row["session"], row["peer"], row["seq"], row["room"]) for row in rows.of(Kind.DELIVERY)]
    assert heard == [(member, 3, seq, 1) for seq in (1, 2, 1) for member in (3, 4, 5)]
    assert [row["outcome"] for row in rows.of(Kind.STRAY)] == [Outcome.GARBLED] * 6
    # What is not recognised is explained once, and for that read again.
    assert [frame for frame, _ in groupby(read)] == [b"", one, two, one, b"{"]


def test_a_room_that_the_plan_has_not_is_told_from_none_at_all():
    session, rows, _, _ = make()
    for named in ("room-1", "lobby", None, "lobby"):
        session.received(server("message", "n-3-1", roomId=named, payload={"sender": "x"}), WHEN)
    heard = [(row["room"], row["flags"]) for row in rows.of(Kind.DELIVERY)]
    elsewhere = (NO_ROOM, Flag.EXACT | Flag.ELSEWHERE)
    assert heard == [(1, Flag.EXACT), elsewhere, (NO_ROOM, Flag.EXACT), elsewhere]
    assert ("elsewhere", 0, "lobby") in rows.lines


def test_answers_in_reverse_order_go_to_their_own_requests(told):
    session, rows, pipe, _ = make()
    for _ in range(3):
        session.publish(0, "x", due=1)
    for frame in reversed(pipe.frames):
        session.received(server("ack", frame["requestId"]), WHEN)
    assert [row["seq"] for row in rows.of(Kind.PUBLISH)] == [3, 2, 1]


def test_an_answer_to_nothing_of_ours_is_a_stray_and_a_late_one_is_counted():
    session, rows, _, clock = make()
    session.received(server("ack", "other-1-1"), WHEN)
    assert len(rows.of(Kind.STRAY)) == 1
    session.received(server("ack", "n-3-99"), WHEN)
    assert [row["peer"] for row in rows.of(Kind.STRAY)] == [Misfit.UNKNOWN, Misfit.UNKNOWN]
    assert session._context.tally.late_answers == 0
    session.publish(0, "x", due=1)
    clock.advance(11 * SECOND)
    session.expire(clock.now())
    session.received(server("ack", "n-3-1"), WHEN)
    assert session._context.tally.late_answers == 1
    assert len(rows.of(Kind.STRAY)) == 2


def test_an_answer_to_another_session_and_a_second_answer_are_told_apart():
    session, rows, pipe, _ = make()
    session.publish(0, "x", due=1)
    request = pipe.frames[-1]["requestId"]
    session.received(server("ack", "n-4-1"), WHEN)
    assert session.is_waiting
    session.received(server("ack", request), WHEN)
    session.received(server("ack", request), WHEN)
    session.received(server("error", request, payload={"code": 500}), WHEN)
    found = [(row["code"], row["peer"]) for row in rows.of(Kind.STRAY)]
    assert found == [
        (SignalKind.ACK, Misfit.OTHERS),
        (SignalKind.ACK, Misfit.AGAIN),
        (SignalKind.ERROR, Misfit.AGAIN),
    ]


def test_where_the_own_delivery_confirms_an_ack_beside_it_is_no_second_answer():
    session, rows, pipe, _ = make(SOLO | {"ack": {"match": {"t": "ok"}, "id": "n"}})
    session.publish(0, "x", due=1)
    session.received(json.dumps({"t": "said", "n": 1, "who": "n-3"}).encode(), WHEN)
    session.received(json.dumps({"t": "ok", "n": 1}).encode(), WHEN)
    assert [row["outcome"] for row in rows.of(Kind.PUBLISH)] == [Outcome.OK]
    assert rows.of(Kind.STRAY) == []


def test_a_fresh_session_on_a_seat_knows_nothing_of_what_the_one_before_gave_up():
    session, rows, _, clock = make()
    session.publish(0, "x", due=1)
    clock.advance(11 * SECOND)
    session.expire(clock.now())
    session.forget()
    session.received(server("ack", "n-3-1"), WHEN)
    assert session._context.tally.late_answers == 0
    assert rows.of(Kind.STRAY) == []


def test_a_message_that_was_not_planned_has_a_response_since_it_was_sent_and_no_send_delay():
    session, rows, _, clock = make()
    tally, copies, lags = session._context.tally, [], Spread()
    session._context.log.mirror = lambda *copy: copies.append(copy)
    tally._lags = lags
    session.publish(0, "x")
    session.received(server("ack", "n-3-1", roomId="room-0"), WHEN)
    assert [(row["due"], row["sent"], row["arrived"]) for row in rows.of(Kind.PUBLISH)] == [
        (0, SECOND, WHEN.arrived)
    ]  # fmt: skip
    assert lags.is_empty
    assert copies == [("publish", WHEN.arrived - SECOND, Outcome.OK, 0)]
    assert tally.snapshot(clock.now()).response_p50 == WHEN.arrived - SECOND


@pytest.mark.parametrize("digits", [20, 10_000])  # beyond a column; beyond what Python reads as a number
def test_an_answer_to_a_number_that_nobody_counts_to_is_a_stray(digits):
    session, rows, _, _ = make()
    session.received(server("ack", "n-3-" + "9" * digits), WHEN)
    session.received(server("error", "9" * digits, payload={"code": 400, "message": "no"}), WHEN)
    assert len(rows.of(Kind.STRAY)) == 2


def test_the_first_frames_of_each_sort_that_match_nothing_are_kept_and_all_are_counted():
    session, rows, _, _ = make(SOLO)
    for number in range(10):
        session.received(json.dumps({"t": "sayd", "n": number}).encode(), WHEN)
    for sort in range(10):
        session.received(json.dumps({"t": f"sort {sort}", "n": 1}).encode(), WHEN)
    session.received(json.dumps({"t": "said", "n": "abc", "who": "x"}).encode(), WHEN)
    assert session._context.tally.unmatched == 21
    kept = [json.loads(text.partition("}")[0] + "}") for kind, _, text in rows.lines if kind == "unmatched"]
    assert [frame["t"] for frame in kept] == ["sayd", *(f"sort {sort}" for sort in range(5)), "said"]


def test_frames_that_name_nothing_are_counted_by_session_and_second():
    session, rows, _, _ = make(SOLO)
    for at in (1.0, 1.5, 1.9, 2.1):
        when = round(at * SECOND)
        session.received(b'{"t": "tick"}', Arrival(when, when, Flag.EXACT))
    assert [(row["seq"], row["arrived"]) for row in rows.of(Kind.UNRECOGNISED)] == [(3, round(1.9 * SECOND))]
    session.closed(Ending(Closer.FIN, 1006, "", Outcome.CLOSED, 0), WHEN)
    counted = rows.of(Kind.UNRECOGNISED)
    assert [(row["session"], row["code"], row["seq"]) for row in counted] == [
        (3, SignalKind.OTHER, 3),
        (3, SignalKind.OTHER, 1),
    ]


def test_frames_that_name_messages_are_rows_of_their_own_and_not_counted():
    session, rows, _, _ = make(SOLO)
    session.received(b'{"t": "sayd", "list": [{"n": "n-4-7"}, {"n": "n-3-1"}]}', WHEN)
    session.received(b'{"t": "said", "n": {"deep": "n-4-7"}, "who": "x"}', WHEN)
    session.received(b'{"t": "said", "n": "n-4-8"', WHEN)  # garbled
    session.closed(Ending(Closer.FIN, 1006, "", Outcome.CLOSED, 0), WHEN)
    named = [(row["code"], row["peer"], row["seq"]) for row in rows.of(Kind.NAMED)]
    other, delivery, garbled = SignalKind.OTHER, SignalKind.DELIVERY, SignalKind.GARBLED
    assert named == [(other, 4, 7), (other, 3, 1), (delivery, 4, 7), (garbled, 4, 8)]
    assert rows.of(Kind.UNRECOGNISED) == []
    assert [row["flags"] & Flag.NAMED for row in rows.of(Kind.STRAY)] == [Flag.NAMED] * 2


@pytest.mark.parametrize(
    ("id", "made_up"),
    [
        ("n-10-1", True),  # sessions are 0 to 9
        ("n-0-68719476736", True),
        ("n-3", False),  # the name of a session
        ("n-1-2-3", False),  # of a message, with something behind it
        ("m-1-2", False),
        ("17", False),
        (None, False),
        ("", False),
    ],
)
def test_an_id_is_made_up_if_it_looks_like_the_runs_and_can_be_none(id, made_up):
    session, rows, _, _ = make()
    session.received(server("message", id, roomId="room-1", payload={"sender": "y"}), WHEN)
    (row,) = rows.of(Kind.STRAY)
    assert bool(row["flags"] & Flag.MADE_UP) is made_up


def test_a_delivery_of_somebody_elses_message_is_a_stray():
    session, rows, _, _ = make()
    session.received(server("message", "foreign", roomId="room-0", payload={"text": "", "sender": "x"}), WHEN)
    assert rows.of(Kind.DELIVERY) == []
    assert len(rows.of(Kind.STRAY)) == 1


def test_what_is_not_answered_in_time_expires(told):
    session, rows, _, clock = make()
    session.publish(0, "x", due=1, done=teller(told))
    clock.advance(11 * SECOND)
    session.expire(clock.now())
    assert told == [(Outcome.EXPIRED, 0)]
    assert rows.of(Kind.PUBLISH)[0]["arrived"] == 0


def test_a_connection_that_ends_ends_all_that_is_in_flight(told):
    session, rows, _, _ = make()
    session.join(0, teller(told))
    session.publish(0, "x", due=1, done=teller(told))
    session.closed(Ending(Closer.RESET, 104, "", Outcome.CLOSED, 0), WHEN)
    assert told == [(Outcome.CLOSED, 104), (Outcome.CLOSED, 104)]
    assert not session.is_open
    assert rows.of(Kind.CLOSE)[0]["peer"] == Closer.RESET


def test_what_is_due_without_a_connection_is_abandoned_and_never_sent():
    session, rows, pipe, _ = make()
    session.closed(Ending(Closer.FIN, 1006, "", Outcome.CLOSED, 0), WHEN)
    session.publish(0, "x", due=42)
    row = rows.of(Kind.PUBLISH)[0]
    assert (row["outcome"], row["due"], row["sent"]) == (Outcome.ABANDONED, 42, 0)
    assert pipe.frames == []


def test_a_session_given_up_before_its_login_was_over_took_no_time_and_sent_nothing():
    session, rows, _, _ = make()
    context, copies = session._context, []
    context.log.mirror = lambda name, took_ns, outcome, code: copies.append((name, took_ns, outcome))
    waiting = Session(context, 4)
    waiting._opening = True  # the login has not answered
    waiting.abort()
    row = rows.of(Kind.OPEN)[-1]
    assert (row["outcome"], row["sent"], row["arrived"] > 0) == (Outcome.ABANDONED, 0, True)
    assert copies == [("open", 0, Outcome.ABANDONED)]


def test_how_long_a_login_wants_to_be_left_alone_reaches_whoever_tries_again():
    session, rows, clock, _ = make()
    heard = []
    session.listener = SimpleNamespace(refused=lambda why, again: heard.append((why.code, dict(why.headers), again)))
    session._opening = True
    session._admitted(Denied(Outcome.REJECTED, 429, "login: HTTP 429", retry_after="7"), session.conn)
    assert heard == [(429, {"Retry-After": "7"}, False)]


def test_an_error_without_an_id_belongs_to_the_probe_under_way(told):
    session, rows, _, _ = make()
    message = session.next_message(0, "x")
    session.probe(b"{broken", message.seq, Damage.NOT_JSON, 0, teller(told))
    session.received(server("error", None, payload={"code": 400, "message": "bad"}), WHEN)
    assert told == [(Outcome.REJECTED, 400)]
    assert rows.of(Kind.PROBE)[0]["peer"] == Damage.NOT_JSON


NAMELESS = server("error", None, payload={"code": 500, "message": "bad"})


def published(rows):
    return [(row["seq"], row["outcome"], row["flags"] & Flag.NAMELESS) for row in rows.of(Kind.PUBLISH)]


def test_an_error_without_an_id_answers_the_only_open_request(told):
    session, rows, _, _ = make()
    session.publish(0, "x", due=1, done=teller(told))
    session.received(NAMELESS, WHEN)
    assert told == [(Outcome.REJECTED, 500)]
    assert published(rows) == [(1, Outcome.REJECTED, Flag.NAMELESS)]
    assert [(row["code"], row["peer"]) for row in rows.of(Kind.STRAY)] == [(SignalKind.ERROR, Misfit.LACKS_ID)]


def test_an_error_without_an_id_may_be_any_of_several_and_is_that_of_one_that_gets_no_answer(told):
    session, rows, pipe, clock = make()
    for _ in range(3):
        session.publish(0, "x", due=1, done=teller(told))
    session.received(NAMELESS, WHEN)
    session.publish(0, "x", due=1)  # after the error: it cannot be meant
    assert told == []
    session.received(server("ack", pipe.frames[0]["requestId"]), WHEN)
    clock.advance(11 * SECOND)
    session.expire(clock.now())
    assert published(rows) == [
        (1, Outcome.OK, 0),
        (2, Outcome.EXPIRED, Flag.NAMELESS),
        (3, Outcome.EXPIRED, 0),
        (4, Outcome.EXPIRED, 0),
    ]
    assert len(rows.of(Kind.STRAY)) == 1


def test_an_error_without_an_id_may_be_the_answer_to_what_the_end_of_the_connection_cut_off():
    session, rows, _, clock = make()
    session.publish(0, "x", due=1)
    session.publish(0, "x", due=1)
    session.received(NAMELESS, WHEN)
    session.closed(Ending(Closer.ENDPOINT, 1011, "", Outcome.CLOSED, 0), WHEN)
    assert published(rows) == [(1, Outcome.CLOSED, Flag.NAMELESS), (2, Outcome.CLOSED, 0)]


def test_an_error_with_nothing_open_is_a_stray_and_excuses_nothing_later():
    session, rows, _, clock = make()
    session.received(NAMELESS, WHEN)
    session.publish(0, "x", due=1)
    clock.advance(11 * SECOND)
    session.expire(clock.now())
    assert published(rows) == [(1, Outcome.EXPIRED, 0)]
    assert [row["peer"] for row in rows.of(Kind.STRAY)] == [Misfit.LACKS_ID]


def test_without_acks_a_message_that_an_error_may_have_refused_is_not_taken_for_accepted():
    session, rows, _, clock = make(MUTE)
    session.publish(0, "x", due=1)
    session.publish(0, "x", due=1)
    session.received(b'{"t": "err", "code": 9}', WHEN)
    clock.advance(11 * SECOND)
    session.expire(clock.now())
    assert published(rows) == [(1, Outcome.EXPIRED, Flag.NAMELESS), (2, Outcome.OK, 0)]
    assert [row["peer"] for row in rows.of(Kind.STRAY)] == [Misfit.HAS_NONE]  # this protocol's errors never bear one


def test_an_ack_without_an_id_answers_nothing_unless_answers_come_in_order():
    session, rows, _, _ = make()
    session.publish(0, "x", due=1)
    session.received(b'{"version": "1.0", "action": "pong"}', WHEN)
    assert session.is_waiting
    assert [(row["code"], row["peer"]) for row in rows.of(Kind.STRAY)] == [(SignalKind.PONG, Misfit.LACKS_ID)]


IN_ORDER = {
    "join": {"t": "join", "r": "{room}"},
    "publish": {"t": "say", "n": "{id}", "b": "{text}"},
    "ack": {"match": {"t": "ok"}},
    "error": {"match": {"t": "err"}, "code": "code"},
    "delivery": {"match": {"t": "said"}, "id": "n"},
}


def test_where_answers_come_in_order_one_without_an_id_belongs_to_the_oldest_open_request(told):
    session, rows, _, _ = make(IN_ORDER, order="fifo")
    session.join(1, teller(told))
    for _ in range(3):
        session.publish(0, "x", due=1)
    for frame in (b'{"t": "ok"}', b'{"t": "ok"}', b'{"t": "err", "code": 7}', b'{"t": "ok"}'):
        session.received(frame, WHEN)
    assert (told, session.rooms) == ([(Outcome.OK, 0)], {1})
    assert published(rows) == [(2, Outcome.OK, 0), (3, Outcome.REJECTED, 0), (4, Outcome.OK, 0)]
    assert rows.of(Kind.STRAY) == []
    session.received(b'{"t": "ok"}', WHEN)  # one too many
    assert [row["peer"] for row in rows.of(Kind.STRAY)] == [Misfit.HAS_NONE]


def test_an_ack_without_an_id_says_that_the_probe_under_way_was_accepted(told):
    session, rows, _, _ = make()
    session.publish(0, "x", due=1)
    message = session.next_message(0, "x")
    session.probe(b"[]", message.seq, Damage.NOT_AN_OBJECT, 0, teller(told))
    session.received(server("pong", None), WHEN)
    assert told == []
    session.received(server("ack", None), WHEN)
    assert told == [(Outcome.OK, 0)]
    assert published(rows) == []


def test_an_acked_probe_was_accepted(told):
    session, rows, _, _ = make()
    message = session.next_message(0, "x")
    session.probe(b"{}", message.seq, Damage.EXTRA_KEY, 0, teller(told))
    session.received(server("ack", message.id), WHEN)
    assert told == [(Outcome.OK, 0)]


def test_joining_makes_a_member_until_the_end(told):
    session, rows, pipe, _ = make()
    session.join(1, teller(told))
    assert session.rooms == frozenset()
    session.received(server("ack", pipe.frames[-1]["requestId"]), WHEN)
    assert session.rooms == {1}
    session.closed(Ending(Closer.FIN, 1006, "", Outcome.CLOSED, 0), WHEN)
    assert session.rooms == frozenset()


def test_a_protocol_without_joins_makes_a_member_at_once(told):
    session, rows, _, _ = make(SOLO)
    session.join(1, teller(told))
    assert told == [(Outcome.OK, 0)]
    assert rows.of(Kind.JOIN)[0]["flags"] & Flag.IMPLICIT


class Joiner:
    """Joins room 1 as soon as it hears of a connection."""

    def __init__(self, session):
        self.session = session

    def opened(self):
        self.session.join(1, lambda outcome, code: None)

    def closed(self, end, when):
        """It stays away."""


def test_a_membership_without_a_join_begins_when_the_answer_to_the_upgrade_arrived():
    session, rows, _, clock = make(SOLO)
    session.closed(Ending(Closer.FIN, 1006, "", Outcome.CLOSED, 0), WHEN)
    session.listener = Joiner(session)
    clock.advance(9 * SECOND)  # a busy process looks late
    upgraded = Arrival(6 * SECOND, clock.now(), Flag.EXACT)
    session.opened(1, upgraded)
    clock.advance(SECOND)
    session.join(0, lambda outcome, code: None)  # later, of the scenario's own will: rightful before, not owed before
    first, second = rows.of(Kind.JOIN)
    assert (first["sent"], first["arrived"], first["read"]) == (6 * SECOND, 6 * SECOND, clock.now() - SECOND)
    assert (second["sent"], second["arrived"], second["read"]) == (6 * SECOND, clock.now(), clock.now())


def test_the_senders_own_delivery_confirms_where_the_protocol_says_so(told):
    session, rows, pipe, _ = make(SOLO)
    session.publish(0, "x", due=1, done=teller(told))
    frame = pipe.frames[-1]
    assert (frame["n"], frame["who"]) == (1, "n-3")
    session.received(json.dumps({"t": "said", "n": 1, "who": "n-3"}).encode(), WHEN)
    assert told == [(Outcome.OK, 0)]
    assert rows.of(Kind.DELIVERY)[0]["peer"] == 3


def test_without_acks_a_sent_message_counts_as_done_and_has_no_arrival(told):
    session, rows, _, clock = make(MUTE)
    session.publish(0, "x", due=1, done=teller(told))
    clock.advance(11 * SECOND)
    session.expire(clock.now())
    assert told == [(Outcome.OK, 0)]
    assert rows.of(Kind.PUBLISH)[0]["arrived"] == 0


@pytest.mark.parametrize(
    ("end", "after_s", "outcome"),
    [
        (Ending(Closer.US, 1000, "", Outcome.OK, 1), 0.1, Outcome.OK),  # the handshake came after all that was sent
        (Ending(Closer.RESET, 104, "", Outcome.CLOSED, 0), 1.5, Outcome.OK),
        (Ending(Closer.RESET, 104, "", Outcome.CLOSED, 0), 0.5, Outcome.CLOSED),  # it may have died with it
    ],
)
def test_without_acks_what_a_connection_carried_before_its_end_counts_as_done(told, end, after_s, outcome):
    session, rows, _, clock = make(MUTE)
    session.publish(0, "x", due=1, done=teller(told))
    read = clock.now() + round(after_s * SECOND)
    session.closed(end, Arrival(read, read, 0))
    assert [given for given, _ in told] == [outcome]
    assert rows.of(Kind.PUBLISH)[0]["arrived"] == 0


def test_without_acks_there_are_no_response_times_to_show():
    session, _, _, clock = make(MUTE)
    session.publish(0, "x", due=1)
    clock.advance(11 * SECOND)
    session.expire(clock.now())
    seen = session._context.tally.snapshot(clock.now())
    assert (seen.answered, seen.response_p50) == (1, None)


@pytest.mark.parametrize(
    "foreign",
    ["m-1-2", "n-1", "n-x-2", "n-1-x", "n-1-2-3", "n--2", "n-99999999999-1", f"n-1-{10**30}", "", "-", "n"],
)
def test_a_delivery_with_an_id_that_this_run_never_made_is_a_stray(foreign):
    session, recorder, _, _ = make()
    for _ in range(2):  # nothing that was remembered of the first makes the second another thing
        session.received(server("message", foreign, roomId="room-1", payload={"text": "x", "sender": "y"}), WHEN)
    assert not recorder.of(Kind.DELIVERY)
    assert len(recorder.of(Kind.STRAY)) == 2


def test_a_delivery_names_its_sender_the_first_time_and_ever_after():
    session, recorder, _, _ = make()
    for seq in (1, 2):
        for sender in (4, 7):
            session.received(server("message", f"n-{sender}-{seq}", roomId="room-1", payload={"sender": "y"}), WHEN)
    found = [(row["peer"], row["seq"]) for row in recorder.of(Kind.DELIVERY)]
    assert found == [(4, 1), (7, 1), (4, 2), (7, 2)]


@pytest.mark.parametrize("made_up", ["n-10-1", "n-268435456-1", "n-0-68719476736"])
def test_a_delivery_of_a_message_that_the_run_cannot_have_sent_is_unknown(made_up):
    session, recorder, _, _ = make()
    session.received(server("message", made_up, roomId="room-1", payload={"sender": "y"}), WHEN)
    assert not recorder.of(Kind.DELIVERY)
    assert len(recorder.of(Kind.STRAY)) == 1


def test_keepalive_pings_are_rows_with_and_without_a_pong():
    session, rows, _, _ = make()
    session.ponged(Pong(Outcome.OK, 0, 3, 4), WHEN)
    session.ponged(Pong(Outcome.EXPIRED, 0, 5, 6), None)
    first, second = rows.of(Kind.KEEPALIVE)
    assert (first["outcome"], first["due"], first["sent"], first["arrived"]) == (Outcome.OK, 3, 4, WHEN.arrived)
    assert (second["outcome"], second["due"], second["sent"], second["arrived"]) == (Outcome.EXPIRED, 5, 6, 0)


def test_a_ping_is_a_row_with_its_due_time_and_its_pong(told):
    session, rows, pipe, clock = make(
        SOLO | {"ping": {"t": "hey", "n": "{id}"}, "pong": {"match": {"t": "ho"}, "id": "n"}}
    )
    session.ping(teller(told), due=7)
    session.ping()
    assert [frame["t"] for frame in pipe.frames] == ["hey", "hey"]
    session.received(json.dumps({"t": "ho", "n": pipe.frames[0]["n"]}).encode(), WHEN)
    (row,) = rows.of(Kind.PING)
    assert (row["outcome"], row["due"], row["sent"], row["arrived"]) == (Outcome.OK, 7, SECOND, WHEN.arrived)
    assert told == [(Outcome.OK, 0)]
    clock.advance(60 * SECOND)
    session.expire(clock.now())
    assert [row["outcome"] for row in rows.of(Kind.PING)] == [Outcome.OK, Outcome.EXPIRED]


def test_a_ping_that_the_protocol_does_not_have_is_told_in_one_line():
    session, rows, pipe, _ = make(SOLO)
    with pytest.raises(UsageError, match=r"\[endpoint\.json\] ping and pong"):
        session.ping()
    assert pipe.frames == rows.of(Kind.PING) == []


class Farewell:
    """What a session that departs tells."""

    def __init__(self):
        self.codes = []

    def __call__(self, code):
        self.codes.append(code)


def test_a_session_that_departs_closes_when_all_that_it_asked_before_is_answered(told):
    session, _, pipe, _ = make()
    session.join(1, teller(told))
    session.received(server("ack", pipe.frames[-1]["requestId"]), WHEN)
    session.publish(1, "x", due=1, done=teller(told))
    asked = pipe.frames[-1]["requestId"]
    pipe.close = Farewell()
    session.depart()
    session.received(server("ack", pipe.frames[-1]["requestId"]), WHEN)  # the leave's
    assert (pipe.close.codes, len(told)) == ([], 1)
    session.received(server("ack", asked), WHEN)
    assert (pipe.close.codes, len(told)) == ([1000], 2)


def test_a_session_that_departs_closes_at_the_time_out_of_what_is_never_answered():
    session, rows, pipe, clock = make()
    session.publish(1, "x", due=1)
    pipe.close = Farewell()
    session.depart()
    assert pipe.close.codes == []
    clock.advance(11 * SECOND)
    session.expire(clock.now())
    assert pipe.close.codes == [1000]
    assert published(rows) == [(1, Outcome.EXPIRED, 0)]


def test_a_session_without_acks_waits_for_none_when_it_departs():
    session, _, pipe, _ = make(MUTE)
    session.publish(1, "x", due=1)
    assert (session.is_waiting, session.expects) == (True, False)
    pipe.close = Farewell()
    session.depart()
    assert pipe.close.codes == [1000]


def test_what_is_given_up_before_its_time_out_is_neither_closed_nor_unanswered(told):
    session, rows, pipe, _ = make()
    session.publish(1, "x", due=1, done=teller(told))
    assert session.expects
    session.give_up()
    assert not session.expects
    assert told == [(Outcome.ABANDONED, 0)]
    (row,) = rows.of(Kind.PUBLISH)
    assert (row["outcome"], row["sent"] > 0, row["arrived"]) == (Outcome.ABANDONED, True, 0)
    session.received(server("ack", pipe.frames[-1]["requestId"]), WHEN)
    assert session._context.tally.late_answers == 1


def said(*ids):
    return json.dumps({"t": "said", "n": ids[0], "who": "x", "rest": [{"n": each} for each in ids[1:]]}).encode()


def test_what_a_recognised_frame_names_beside_what_was_read_of_it_is_recorded_for_each_member():
    session, rows, _, _ = make(SOLO)
    other = Session(session._context, 4)
    for member in (session, other):
        member.received(said("n-5-1", "n-5-2", "n-6-1"), WHEN)
        member.received(said("n-5-3"), WHEN)
    assert [(row["session"], row["peer"], row["seq"]) for row in rows.of(Kind.DELIVERY)] == [
        (3, 5, 1), (3, 5, 3), (4, 5, 1), (4, 5, 3),
    ]  # fmt: skip
    named = [(row["session"], row["code"], row["peer"], row["seq"]) for row in rows.of(Kind.NAMED)]
    assert named == [(3, 2, 5, 2), (3, 2, 6, 1), (4, 2, 5, 2), (4, 2, 6, 1)]


def test_lists_that_only_come_later_are_found_too():
    session, rows, _, _ = make(SOLO)
    for seq in range(1, 1201):
        session.received(said(f"n-5-{seq}"), WHEN)
    assert rows.of(Kind.NAMED) == []
    for seq in range(2000, 2400, 2):
        session.received(said(f"n-5-{seq}", f"n-5-{seq + 1}"), WHEN)
    assert len(rows.of(Kind.NAMED)) == 200


def test_a_delivery_in_one_frame_with_its_ack_is_recorded_as_not_read():
    session, rows, _, _ = make(FIRST_OF_EACH)
    for seq in (1, 2):
        session.publish(0, "x", due=seq)
        session.received(json.dumps([{"t": "ok", "n": f"n-3-{seq}"}]).encode(), WHEN)
    assert rows.of(Kind.NAMED) == []
    session.publish(0, "x", due=3)
    both = [{"t": "ok", "n": "n-3-3"}, {"t": "said", "n": "n-3-3", "who": "x"}]
    session.received(json.dumps(both).encode(), WHEN)
    assert [row["outcome"] for row in rows.of(Kind.PUBLISH)] == [Outcome.OK] * 3
    assert [(row["peer"], row["seq"]) for row in rows.of(Kind.NAMED)] == [(3, 3)]


TEXT_IDS = {
    "publish": {"t": "say", "n": "{id}", "who": "{sender}"},
    "ack": {"match": {"t": "ok"}, "id": "n"},
    "delivery": {"match": {"t": "said"}, "id": "n", "sender": "who"},
}


@pytest.mark.parametrize("number", [1, "1", 1.0])
def test_a_number_is_an_id_of_the_endpoints_own_where_ours_are_texts(told, number):
    session, rows, _, _ = make(TEXT_IDS)
    session.publish(0, "x", due=1, done=teller(told))
    session.received(json.dumps({"t": "ok", "n": number}).encode(), WHEN)
    session.received(json.dumps({"t": "said", "n": number, "who": "n-3"}).encode(), WHEN)
    assert told == [] and rows.of(Kind.DELIVERY) == []
    assert [row["code"] for row in rows.of(Kind.STRAY)] == [SignalKind.ACK, SignalKind.DELIVERY]


@pytest.mark.parametrize("number", [1, "1", 1.0])
def test_a_number_is_an_id_of_ours_where_we_send_numbers(told, number):
    session, rows, _, _ = make(TEXT_IDS | {"publish": {"t": "say", "n": "{seq}", "who": "{sender}"}})
    session.publish(0, "x", due=1, done=teller(told))
    session.received(json.dumps({"t": "ok", "n": number}).encode(), WHEN)
    session.received(json.dumps({"t": "said", "n": number, "who": "n-3"}).encode(), WHEN)
    assert told == [(Outcome.OK, 0)] and len(rows.of(Kind.DELIVERY)) == 1


def test_a_generated_text_is_the_messages_own_and_any_other_is_sent_as_it_is():
    session, _, pipe, _ = make()
    texts = session._context.texts
    session.publish(0, texts.sign)
    session.publish(0, texts.sign)
    session.publish(0, "my own")
    sent = [frame["payload"]["text"] for frame in pipe.frames]
    numbers = [receipt.seq for receipt in session._matching.receipts.values()]
    assert sent == [texts.of(session.number, numbers[0]), texts.of(session.number, numbers[1]), "my own"]
    flags = [receipt.flags & Flag.OWN_TEXT for receipt in session._matching.receipts.values()]
    assert flags == [0, 0, Flag.OWN_TEXT]


def test_a_delivery_is_recorded_with_what_it_bears():
    session, rows, _, _ = make()
    context = session._context
    for text, content in ((context.texts.of(7, 1), 1), (context.texts.of(7, 1)[:20], 3), ("else", 5)):
        payload = {"text": text, "sender": "n-7"}
        frame = {"action": "message", "requestId": "n-7-1", "roomId": "room-0", "payload": payload}
        session.received(json.dumps(frame).encode(), WHEN)
        row = rows.of(Kind.DELIVERY)[-1]
        assert (row["code"] & 7, row["code"] >> 3) == (content, 2**27 + 7)
