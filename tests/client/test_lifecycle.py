"""A client's life on a clock that stands still, with a session that only remembers what it was asked."""

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from harness.client.lifecycle import Client
from harness.client.run_context import State
from harness.plan import Reconnect
from harness.record.row import Closer, Kind, Outcome
from harness.schedule.pacing import ConstantPace
from harness.transport.clock import FakeClock
from harness.transport.websocket import Arrival, Ending, Refusal
from harness.units import SECOND

END = 100 * SECOND


class FakeSession:
    """Remembers joins until the test answers them; test_fakes.py compares it with the real one."""

    def __init__(self, number=3):
        self.number, self.conn, self.listener = number, -1, None
        self.is_open, self.is_free = False, True
        self.rooms = ()
        self.opened_at, self.asked, self.left, self.skipped = [], [], [], []
        self.departing = self.token_has_expired = False
        self.remembers = False

    def forget(self):
        self.remembers = False

    def open(self, due):
        assert self.is_free
        self.conn += 1
        self.remembered = self.remembers
        self.remembers = True
        self.is_free = False
        self.opened_at.append(due)

    def join(self, room, done, due=0, *, remembered=False):
        if remembered:
            self.rooms = (*self.rooms, room)
            done(Outcome.OK, 0)
        else:
            self.asked.append((room, done, due))

    def leave(self, room, done, due=0):
        self.left.append(room)

    def skip(self, due):
        self.skipped.append(due)

    def depart(self):
        self.departing = True

    def abort(self):
        if not self.is_free and not self.is_open:
            self.is_free = True
            self.listener.refused(Refusal(Outcome.ABANDONED, 0, "reset by us"))

    # -- for the test

    def up(self):
        self.is_open = True
        self.listener.opened()

    def ack(self, outcome=Outcome.OK, code=0):
        room, done, _ = self.asked.pop(0)
        if outcome is Outcome.OK:
            self.rooms = (*self.rooms, room)
        done(outcome, code)

    def refuse(self, code=503, outcome=Outcome.REJECTED, headers=(), *, again=False):
        self.is_free = True
        self.listener.refused(Refusal(outcome, code, "no", code, headers), again)

    def end(self, closer=Closer.RESET, code=104, began=0, at=0):
        self.is_open, self.is_free, self.rooms = False, True, ()
        asked, self.asked = self.asked, []
        for _, done, _ in asked:
            done(Outcome.CLOSED, code)
        self.listener.closed(Ending(closer, code, "", Outcome.CLOSED, began), Arrival(at, at, 0))


class RunContext:
    """Seats at 1 s, without departures unless `stay` is given."""

    def __init__(self, stay=None, replace_after=None, **policy):
        self.clock, self.chance, self.rows = FakeClock(0), random.Random(1), []
        self.policy = Reconnect(**{"jitter": "none", "first_s": 1.0, "cap_s": 8.0} | policy)
        self.recorder = self
        self.stay, self.replace_after = stay, replace_after
        self.over = self.is_departing = False

    @property
    def is_loading(self):
        return not self.over and self.clock.now() < END

    def seat_ns(self, number, life):
        if life and self.replace_after is None:
            return -1, None, END
        due = SECOND + life * ((self.stay or 0) + (self.replace_after or 0))
        return due, due + self.stay if self.stay else None, due if life else 0

    def row(self, kind, outcome, flags, code, session, conn, **more):
        assert kind is Kind.RECOVERY
        self.rows.append({"outcome": outcome, "code": code, "conn": conn} | more)


class ClientOwner:
    """Joins one room at each connection, as chat does."""

    has_paced = True

    def __init__(self, rooms=(7,)):
        self.rooms, self.log, self.told = rooms, [], []

    def connected(self, client):
        self.log.append("connected")
        for room in self.rooms:
            client.join(room, lambda outcome, code: self.told.append((outcome, code)))

    def joined(self, client, room):
        self.log.append(f"joined {room}")

    def disconnected(self, client):
        self.log.append("disconnected")


def make(owner=None, **run):
    session, run, owner = FakeSession(), RunContext(**run), owner or ClientOwner()
    client = Client(session, (7,), run, owner)
    client.begin()
    run.clock.advance(SECOND)
    return client, session, run, owner


def lose(session, run, **how):
    session.end(at=run.clock.now(), **how)


def test_it_opens_when_due_and_is_ready_when_its_joins_are_acknowledged():
    client, session, run, owner = make(owner=ClientOwner((7, 8)))
    assert session.opened_at == [SECOND]
    session.up()
    session.ack()
    assert not client.is_ready
    session.ack()
    assert client.is_ready
    assert owner.log == ["connected", "joined 7", "joined 8"]
    assert run.rows == []


def test_a_refused_opening_is_tried_again_after_pauses_that_grow_to_the_cap():
    _, session, run, _ = make()
    for _ in range(6):
        session.refuse()
        run.clock.advance(8 * SECOND)
    assert [(due - SECOND) // SECOND % 8 for due in session.opened_at] == [0, 1, 2, 4, 0, 0, 0]
    pauses = [due - (SECOND + 8 * n * SECOND) for n, due in enumerate(session.opened_at[1:])]
    assert pauses == [SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND, 8 * SECOND, 8 * SECOND]


def test_an_opening_after_a_pause_is_due_when_the_pause_is_over_not_when_we_got_to_it():
    _, session, run, _ = make()
    session.refuse()
    run.clock.now_ns += 5 * SECOND  # the generator is busy
    run.clock.advance(0)
    assert session.opened_at[-1] == 2 * SECOND


def test_the_time_to_recover_runs_from_the_loss_to_the_last_join():
    client, session, run, owner = make(owner=ClientOwner((7, 8)))
    session.up(), session.ack(), session.ack()
    lose(session, run)
    assert not client.is_ready
    run.clock.advance(SECOND)
    session.up()
    run.clock.advance(SECOND // 2)
    session.ack()
    assert run.rows == []
    run.clock.advance(SECOND // 2)
    session.ack()
    assert run.rows == [
        {"outcome": Outcome.OK, "code": 0, "conn": 1, "peer": Closer.RESET, "seq": 1, "sent": SECOND,
         "arrived": 3 * SECOND, "read": 3 * SECOND}
    ]  # fmt: skip


def test_a_close_that_we_began_counts_from_its_beginning():
    _, session, run, _ = make()
    session.up(), session.ack()
    run.clock.advance(SECOND)
    session.end(Closer.US, 1000, began=run.clock.now() - 5, at=run.clock.now())
    run.clock.advance(SECOND)
    session.up(), session.ack()
    assert run.rows[0]["sent"] == 2 * SECOND - 5


def test_a_connection_dropped_in_the_middle_of_a_join_is_asked_for_again_and_counts_once():
    client, session, run, owner = make()
    session.up()
    lose(session, run)
    assert owner.told == [(Outcome.CLOSED, 104)]
    run.clock.advance(SECOND)
    session.up()
    lose(session, run)
    run.clock.advance(2 * SECOND)
    session.up(), session.ack()
    assert client.is_ready
    assert [(row["outcome"], row["sent"], row["arrived"], row["seq"]) for row in run.rows] == [
        (Outcome.OK, SECOND, 4 * SECOND, 2)
    ]


def test_a_refused_join_is_asked_for_again_while_the_connection_lasts():
    client, session, run, owner = make()
    session.up()
    session.ack(Outcome.REJECTED, 429)
    assert owner.told == []
    run.clock.advance(SECOND)
    session.ack(Outcome.EXPIRED)
    run.clock.advance(2 * SECOND)
    session.ack()
    assert client.is_ready
    assert owner.told == [(Outcome.OK, 0)]


def test_a_retry_of_a_join_does_not_outlive_its_connection():
    _, session, run, _ = make(resubscribe=True)
    session.up()
    session.ack(Outcome.REJECTED, 429)
    lose(session, run)
    run.clock.advance(SECOND)
    session.up()
    assert [room for room, _, _ in session.asked] == [7]
    run.clock.advance(20 * SECOND)
    assert [room for room, _, _ in session.asked] == [7]


def test_a_join_that_is_refused_for_good_is_not_tried_again_and_never_makes_ready():
    client, session, run, owner = make()
    session.up()
    session.ack(Outcome.REJECTED, 403)
    run.clock.advance(50 * SECOND)
    assert (session.asked, owner.told, client.is_ready) == ([], [(Outcome.REJECTED, 403)], False)


@pytest.mark.parametrize("code", [401, 403])
def test_a_terminal_refusal_is_not_tried_again(code):
    client, session, run, _ = make()
    session.up(), session.ack()
    lose(session, run)
    run.clock.advance(SECOND)
    session.refuse(code)
    run.clock.advance(50 * SECOND)
    assert len(session.opened_at) == 2
    assert [(row["outcome"], row["code"], row["arrived"]) for row in run.rows] == [(Outcome.REJECTED, code, 0)]


def test_who_is_refused_for_a_token_that_can_be_had_anew_tries_once_more_and_only_once():
    client, session, run, _ = make()
    session.refuse(401, again=True)
    assert client.state is State.AWAY
    run.clock.advance(SECOND)
    assert len(session.opened_at) == 2
    session.refuse(401, again=True)
    assert client.state is State.GONE


def test_a_token_that_ran_out_later_is_worth_another_login_too():
    client, session, run, _ = make()
    for _ in range(2):
        session.refuse(401, again=True)
        run.clock.advance(4 * SECOND)
        session.up()
        session.ack()
        assert client.is_ready
        lose(session, run)
        run.clock.advance(SECOND)
    session.refuse(401)
    assert client.state is State.GONE


def test_a_terminal_close_code_is_not_tried_again_but_the_same_number_as_an_errno_is():
    _, session, run, _ = make(terminal_codes=(1008, 104))
    session.up(), session.ack()
    lose(session, run)
    run.clock.advance(SECOND)
    session.up(), session.ack()
    lose(session, run, closer=Closer.ENDPOINT, code=1008)
    run.clock.advance(50 * SECOND)
    assert len(session.opened_at) == 2
    assert [row["outcome"] for row in run.rows] == [Outcome.OK, Outcome.REJECTED]


def test_a_terminal_close_of_an_expired_token_is_followed_by_another_one():
    _, session, run, _ = make(terminal_codes=(4401,))
    session.up(), session.ack()
    session.token_has_expired = True
    lose(session, run, closer=Closer.ENDPOINT, code=4401)
    run.clock.advance(50 * SECOND)
    assert len(session.opened_at) == 2


def test_after_so_many_tries_it_gives_up():
    client, session, run, _ = make(max_attempts=2)
    session.up(), session.ack()
    lose(session, run)
    for _ in range(4):
        run.clock.advance(8 * SECOND)
        if not session.is_free:
            session.refuse()
    assert len(session.opened_at) == 3
    assert [(row["outcome"], row["code"]) for row in run.rows] == [(Outcome.EXPIRED, 503)]
    assert client.state is State.GONE


def test_being_ready_starts_the_count_of_tries_anew():
    _, session, run, _ = make(max_attempts=1)
    for _ in range(3):
        session.up(), session.ack()
        lose(session, run)
        run.clock.advance(SECOND)
    assert len(session.opened_at) == 4


def test_retry_after_in_seconds_is_waited_for():
    _, session, run, _ = make()
    session.refuse(headers=(("retry-after", "30"),))
    run.clock.advance(90 * SECOND)
    assert session.opened_at[1] == 31 * SECOND


def test_retry_after_as_a_date_is_waited_for():
    _, session, run, _ = make()
    when = datetime.now(UTC) + timedelta(seconds=30)
    session.refuse(headers=(("Retry-After", format_datetime(when, usegmt=True)),))
    run.clock.advance(90 * SECOND)
    assert 25 * SECOND < session.opened_at[1] <= 31 * SECOND


@pytest.mark.parametrize("value", ["0", "soon", "", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_retry_after_that_asks_for_less_than_the_backoff_changes_nothing(value):
    _, session, run, _ = make()
    session.refuse(headers=(("Retry-After", value),))
    run.clock.advance(50 * SECOND)
    assert session.opened_at[1] == 2 * SECOND


def test_retry_after_is_not_waited_for_when_the_plan_says_so():
    _, session, run, _ = make(retry_after=False)
    session.refuse(headers=(("Retry-After", "30"),))
    run.clock.advance(50 * SECOND)
    assert session.opened_at[1] == 2 * SECOND


def test_the_load_over_while_backing_off_ends_it_and_says_that_it_was_still_away():
    client, session, run, _ = make()
    session.up(), session.ack()
    lose(session, run)
    run.over = True
    client.load_over()
    run.clock.advance(50 * SECOND)
    assert len(session.opened_at) == 1
    assert [(row["outcome"], row["arrived"]) for row in run.rows] == [(Outcome.ABANDONED, 0)]


def test_an_opening_that_was_due_and_that_we_never_got_to_is_counted():
    session, run = FakeSession(), RunContext()
    client = Client(session, (7,), run, ClientOwner())
    client.begin()
    client.load_over()
    assert session.skipped == []
    client = Client(session, (7,), run, ClientOwner())
    client.begin()
    run.clock.now_ns = 2 * SECOND  # the generator is busy, and the load is over before it is not
    client.load_over()
    run.clock.advance(50 * SECOND)
    assert (session.skipped, session.opened_at) == ([SECOND], [])


def test_an_opening_that_succeeds_after_the_load_joins_nothing():
    client, session, run, owner = make()
    run.over = True
    client.load_over()
    session.up()
    assert (owner.log, session.asked, client.is_ready) == ([], [], False)
    lose(session, run)
    run.clock.advance(50 * SECOND)
    assert len(session.opened_at) == 1


def test_rooms_are_asked_for_again_after_a_return_even_when_the_scenario_asked_later():
    client, session, run, owner = make(owner=ClientOwner(()))
    session.up()
    client.join(4)
    session.ack()
    lose(session, run)
    run.clock.advance(SECOND)
    session.up()
    assert [room for room, _, _ in session.asked] == [4]
    assert not client.is_ready


def test_a_room_that_was_left_is_not_asked_for_again():
    client, session, run, owner = make(owner=ClientOwner(()))
    session.up()
    client.join(4)
    session.ack()
    client.leave(4)
    lose(session, run)
    run.clock.advance(SECOND)
    session.up()
    assert session.asked == []
    assert client.is_ready


def test_the_scenario_asking_for_a_room_that_is_being_asked_for_asks_once_and_hears():
    client, session, run, owner = make()
    session.up(), session.ack()
    lose(session, run)
    owner.told.clear()
    run.clock.advance(SECOND)
    session.up()
    assert [room for room, _, _ in session.asked] == [7]
    session.ack()
    assert owner.told == [(Outcome.OK, 0)]


def test_an_endpoint_that_remembers_memberships_is_not_asked_again():
    client, session, run, owner = make(resubscribe=False)
    session.up(), session.ack()
    lose(session, run)
    run.clock.advance(SECOND)
    session.up()
    assert (session.asked, session.rooms, client.is_ready) == ([], (7,), True)
    assert run.rows[0]["outcome"] is Outcome.OK


def test_leaving_a_room_that_is_being_joined_forgets_the_join():
    client, session, run, owner = make(owner=ClientOwner(()))
    session.up()
    told = []
    client.join(4, lambda *how: told.append(how))
    client.leave(4)
    assert told == [(Outcome.ABANDONED, 0)]
    session.ack(Outcome.REJECTED, 429)
    run.clock.advance(50 * SECOND)
    assert session.asked == []


def test_leaving_the_last_room_whose_join_is_unanswered_makes_the_client_ready():
    client, session, run, owner = make(owner=ClientOwner((4,)))
    session.up()
    assert not client.is_ready
    client.leave(4)
    assert client.is_ready
    assert (session.left, owner.told) == ([4], [(Outcome.ABANDONED, 0)])


def test_leaving_one_of_two_rooms_whose_joins_are_unanswered_waits_for_the_other():
    client, session, run, owner = make(owner=ClientOwner((4, 5)))
    session.up()
    client.leave(4)
    assert not client.is_ready
    session.ack()  # of room 4, which is not wanted any more
    assert not client.is_ready
    session.ack()
    assert client.is_ready
    assert owner.log == ["connected", "joined 5"]


def test_leaving_the_only_room_that_was_refused_for_good_makes_the_client_ready():
    client, session, run, owner = make(owner=ClientOwner((4,)), terminal_codes=[403])
    session.up()
    session.ack(Outcome.REJECTED, 403)
    assert not client.is_ready
    client.leave(4)
    assert client.is_ready


def test_leaving_a_room_that_was_never_asked_for_waits_for_the_joins_all_the_same():
    client, session, run, owner = make(owner=ClientOwner((4,)))
    session.up()
    client.leave(9)
    assert not client.is_ready
    session.ack()
    assert client.is_ready
    client.leave(9)
    assert client.is_ready


def test_leaving_a_room_when_the_connection_is_gone_makes_nobody_ready():
    client, session, run, owner = make()
    session.up()
    lose(session, run)
    client.leave(7)
    assert not client.is_ready


def test_a_later_join_does_not_make_a_ready_client_unready():
    client, session, run, owner = make()
    session.up(), session.ack()
    client.join(8)
    assert client.is_ready


def test_a_session_departs_when_its_stay_is_over_and_does_not_come_back():
    client, session, run, owner = make(stay=10 * SECOND)
    session.up(), session.ack()
    run.clock.advance(10 * SECOND)
    assert session.departing
    session.end(Closer.US, 1000, began=1, at=run.clock.now())
    run.clock.advance(50 * SECOND)
    assert len(session.opened_at) == 1
    assert run.rows == []
    assert "disconnected" not in owner.log
    assert client.speaks_from == END


def test_a_fresh_session_takes_the_seat_when_due_and_remembers_nothing():
    client, session, run, owner = make(owner=ClientOwner(()), stay=10 * SECOND, replace_after=2 * SECOND)
    session.up()
    client.join(4)
    session.ack()
    client.scratch = "mine"
    run.clock.advance(10 * SECOND)
    session.end(Closer.US, 1000, began=1, at=run.clock.now())
    run.clock.advance(2 * SECOND)
    session.up()
    assert session.opened_at == [SECOND, 13 * SECOND]
    assert (session.asked, client.scratch, client.is_ready) == ([], None, True)


def test_a_session_remembers_over_a_return_and_a_fresh_one_nothing_even_when_the_old_departed_while_away():
    client, session, run, _ = make(stay=5 * SECOND, replace_after=2 * SECOND)
    session.up()
    session.ack()
    lose(session, run)
    run.clock.advance(SECOND)
    assert session.remembered
    session.refuse(503)
    run.clock.advance(3 * SECOND)
    session.refuse(503)  # away when the stay is over
    run.clock.advance(5 * SECOND)
    assert client.state is State.OPENING
    assert not session.remembered


def test_a_fresh_session_that_waits_for_the_old_to_close_was_due_all_the_same():
    client, session, run, _ = make(stay=10 * SECOND, replace_after=2 * SECOND)
    session.up(), session.ack()
    run.clock.advance(15 * SECOND)
    assert len(session.opened_at) == 1
    session.end(Closer.US, 1006, began=1, at=run.clock.now())
    assert session.opened_at == [SECOND, 13 * SECOND]


def test_departing_while_away_or_opening_ends_the_trying():
    client, session, run, _ = make(stay=10 * SECOND)
    session.up(), session.ack()
    lose(session, run)
    run.clock.advance(SECOND)
    run.clock.advance(9 * SECOND)  # still opening
    assert session.is_free
    run.clock.advance(50 * SECOND)
    assert len(session.opened_at) == 2
    assert [row["outcome"] for row in run.rows] == [Outcome.ABANDONED]


def test_whoever_gave_up_makes_room_for_the_next_on_the_seat():
    client, session, run, _ = make(stay=10 * SECOND, replace_after=2 * SECOND)
    session.refuse(403)
    assert client.state is State.GONE
    run.clock.advance(12 * SECOND)
    assert session.opened_at == [SECOND, 13 * SECOND]


def test_a_retired_client_leaves_in_good_order_and_its_seat_stays_empty():
    client, session, run, _ = make(stay=10 * SECOND, replace_after=2 * SECOND)
    session.up(), session.ack()
    client.retire()
    assert session.departing
    session.end(Closer.US, 1000, began=1, at=run.clock.now())
    run.clock.advance(50 * SECOND)
    assert len(session.opened_at) == 1


def test_what_nobody_took_is_missed_from_the_first_message_on_but_not_where_nobody_paces():
    client, _, run, owner = make()
    client.pace = ConstantPace(2 * SECOND, SECOND, END)
    assert (client.missed(10 * SECOND), client.is_overdue(2 * SECOND), client.is_overdue(3 * SECOND)) == (
        8,
        False,
        True,
    )
    client.n = 3
    assert (client.missed(10 * SECOND), client.is_overdue(5 * SECOND), client.is_overdue(6 * SECOND)) == (
        5,
        False,
        True,
    )
    client.speaks_from = 8 * SECOND  # what falls due before one has begun never counts
    assert (client.missed(10 * SECOND), client.is_overdue(8 * SECOND), client.is_overdue(9 * SECOND)) == (
        2,
        False,
        True,
    )
    owner.has_paced = False
    assert (client.missed(10 * SECOND), client.is_overdue(90 * SECOND)) == (0, False)


@pytest.mark.parametrize("is_departing", [False, True])
def test_who_opens_after_everybody_was_told_to_leave_leaves_at_once(is_departing):
    client, session, run, owner = make()
    run.over, run.is_departing = True, is_departing
    session.up()
    assert session.departing is is_departing
    assert client.state is (State.LEAVING if is_departing else State.OPEN)
    assert owner.log == []
