"""What the fakes of these tests promise, asked of the real thing as well: sessions, a recorder, a transport."""

import numpy as np
import pytest

from harness.auth import Access
from harness.client.context import Context
from harness.client.session import Session
from harness.client.tally import Tally
from harness.plan import build_plan
from harness.record import run_directory
from harness.record.recorder import Recorder
from harness.record.row import DTYPE, NO_PEER, NO_ROOM, ROW_BYTES, Closer, Flag, Kind, Outcome
from harness.transport.clock import FakeClock
from harness.transport.events import Arrival, Ending, Refusal
from harness.units import SECOND
from harness.wire import make_dialect
from tests.client.test_lifecycle import FakeSession
from tests.client.test_session import Pipe, Rows, server
from tests.faults.test_injector import FakeSession as FaultySession
from tests.transport.pairs import Line, PairBench
from tests.transport.test_keepalive import Connection
from tests.transport.test_websocket import Stamped

WHEN = Arrival(5 * SECOND, 5 * SECOND, Flag.EXACT)
ABANDONED = Refusal(Outcome.ABANDONED, 0, "reset by us")


class Dialled(Pipe):
    """A transport that is being dialled, and can be given up."""

    session: Session

    def reset(self):
        self.session.refused(ABANDONED, 0, WHEN)


class Piped(Context):
    """A context whose connections are pipes."""

    def connect(self, listener, number, entry):
        self.pipe = Dialled(self.clock)
        self.pipe.session = listener
        return self.pipe


class RealSession(Session):
    """The real one, with what its server does."""

    __slots__ = ("context",)

    def __init__(self):
        plan = build_plan({"endpoint": {"url": "ws://127.0.0.1:1/"}, "load": {"sessions": 10, "rooms": 9}})
        access = Access(plan.endpoint, "n")
        self.context = Piped(
            plan, "n", FakeClock(), None, Rows(), make_dialect(plan.endpoint), access, None, Tally(9, True)
        )
        super().__init__(self.context, 3)

    def up(self):
        self.opened(1, WHEN)

    def ack(self, outcome=Outcome.OK, code=0):
        (request,) = [frame["requestId"] for frame in self.context.pipe.frames if frame["action"] == "joinRoom"]
        error = {"payload": {"code": code, "message": "no"}} if code else {}
        self.received(server("error" if code else "ack", request, **error), WHEN)

    def refuse(self):
        self.refused(Refusal(Outcome.REJECTED, 503, "no", 503), 0, WHEN)

    def end(self):
        self.closed(Ending(Closer.RESET, 104, "", Outcome.CLOSED, 0), WHEN)


class Listener:
    """Writes down what it hears, and how the session stands just then."""

    def __init__(self, session):
        self.session, self.heard = session, []
        session.listener = self

    def hear(self, *what):
        self.heard.append((*what, self.session.is_open, self.session.is_free))

    def opened(self):
        self.hear("opened")

    def refused(self, why, again=False):
        self.hear("refused", why.outcome)

    def closed(self, end, when):
        self.hear("closed")

    def told(self, outcome, code):
        self.hear(outcome)


@pytest.fixture(params=[FakeSession, RealSession])
def session(request):
    return request.param()


@pytest.fixture
def listener(session):
    return Listener(session)


def test_a_session_opens_on_a_connection_with_the_next_number(session, listener):
    assert (session.conn, session.is_open, session.is_free, tuple(session.rooms)) == (-1, False, True, ())
    for number in range(2):
        session.open(SECOND)
        assert (session.conn, session.is_open, session.is_free) == (number, False, False)
        session.up()
        session.end()
    assert listener.heard == [("opened", True, False), ("closed", False, True)] * 2


def test_a_session_that_is_refused_is_free_when_it_is_told(session, listener):
    session.open(SECOND)
    session.refuse()
    assert listener.heard == [("refused", Outcome.REJECTED, False, True)]


def test_a_session_that_is_given_up_while_it_opens_is_told_so_once_and_a_free_one_nothing(session, listener):
    session.abort()
    session.open(SECOND)
    session.abort()
    session.abort()
    assert listener.heard == [("refused", Outcome.ABANDONED, False, True)]


@pytest.mark.parametrize(("outcome", "code", "rooms"), [(Outcome.OK, 0, {7}), (Outcome.REJECTED, 403, set())])
def test_a_session_is_a_member_when_its_join_was_answered_with_yes(session, listener, outcome, code, rooms):
    session.open(SECOND)
    session.up()
    session.join(7, listener.told)
    assert set(session.rooms) == set()
    session.ack(outcome, code)
    assert set(session.rooms) == rooms
    assert listener.heard[1:] == [(outcome, True, False)]


def test_a_membership_that_is_remembered_is_there_at_once(session, listener):
    session.open(SECOND)
    session.up()
    session.join(7, listener.told, remembered=True)
    assert set(session.rooms) == {7}
    assert listener.heard[1:] == [(Outcome.OK, True, False)]


def test_a_session_whose_connection_ends_tells_who_waits_before_who_listens_and_is_in_no_room(session, listener):
    session.open(SECOND)
    session.up()
    session.join(7, listener.told)
    session.join(8, lambda *_: None, remembered=True)
    session.end()
    assert [what for what, *_ in listener.heard] == ["opened", Outcome.CLOSED, "closed"]
    assert set(session.rooms) == set()


@pytest.fixture(params=["fake", "real"])
def open_session(request):
    """An open session of the rooms 3 and 1, as a fault finds it."""
    if request.param == "fake":
        return FaultySession()
    session = RealSession()
    session.open(SECOND)
    session.up()
    for room in (3, 1):
        session.join(room, lambda *_: None, remembered=True)
    return session


def test_a_fault_finds_a_connection_only_at_an_open_session(open_session):
    assert open_session.rooms == {1, 3} and open_session.is_settled
    assert open_session.take_socket() is not None
    open_session.is_open = False
    assert open_session.take_socket() is None


def test_what_a_fault_may_ask_of_a_session_is_what_there_is(open_session):
    assert open_session.publish and open_session.next_message and open_session.probe
    with pytest.raises(AttributeError):
        open_session.publsh  # noqa: B018


ROW = {"outcome": Outcome.OK, "flags": 1, "code": 2, "session": 3, "conn": 4, "room": 5, "peer": 6, "seq": 7, "due": 8,
       "sent": 9, "arrived": 10, "read": 11}  # fmt: skip


@pytest.fixture(params=["fake", "real"])
def recorded(request, tmp_path):
    """Rows as a recorder keeps them."""

    def recorded(*rows):
        if request.param == "fake":
            recorder = Rows()
        else:
            recorder = Recorder(run_directory.create(tmp_path, "made", {"nonce": "n"}))
        for arguments, named in rows:
            recorder.row(*arguments, **named)
        if request.param == "fake":
            return recorder.rows
        recorder.close()
        found = np.fromfile(recorder.rows_path, np.dtype(DTYPE), offset=ROW_BYTES)
        return [dict(zip(found.dtype.names, map(int, row), strict=True)) for row in found.tolist()]

    return recorded


def test_a_recorder_keeps_each_column_under_its_name_and_the_same_when_it_is_not_given(recorded):
    whole, bare, placed = recorded(((Kind.PUBLISH,), ROW), ((Kind.OPEN,), {}), ((Kind.OPEN, *ROW.values()), {}))
    assert {name: whole[name] for name in ROW} == ROW
    assert {name: placed[name] for name in ROW} == ROW
    assert {name: bare[name] for name in ROW} == dict.fromkeys(ROW, 0) | {"peer": NO_PEER, "room": NO_ROOM}


@pytest.fixture
def line():
    """A real connection that is open, and its other end."""
    bench = PairBench()
    bench.clock.advance(SECOND)
    line = Line(bench)
    line.feed(line.answer())
    yield line
    line.connection.reset()
    line.close()
    bench.finish()
    assert not bench.failures


@pytest.mark.parametrize("kind", ["fake", "real"])
def test_a_transport_takes_a_message_and_stamps_it(line, kind):
    transport = Pipe(FakeClock(SECOND)) if kind == "fake" else line.connection
    message = Stamped()
    assert transport.send(b"{}", message)
    assert message.sent == (SECOND if kind == "fake" else line.connection._sockets.clock.now())


@pytest.mark.parametrize("kind", ["fake", "real"])
def test_a_connection_sends_a_ping_and_stamps_it_until_it_closes(line, kind):
    connection = Connection(FakeClock(SECOND)) if kind == "fake" else line.connection
    first, second = Stamped(), Stamped()
    assert connection.send_ping(b"one", first)
    assert first.sent > 0
    if kind == "fake":
        connection.is_closing = True
    else:
        connection.close()
    assert not connection.send_ping(b"two", second)
    assert not second.sent
