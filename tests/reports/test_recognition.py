"""What came and was not recognised is not lost; what is lost stays lost, whatever else an endpoint sends.

Four sessions in a room send 40 messages each in 20 s. A scenario says what became of each delivery, and what else came.
"""

import random

import pytest

from harness.record.row import Flag, Kind, Outcome, SignalKind

from .conftest import on_the_page, on_the_terminal
from .test_findings import found

SESSIONS, MESSAGES, EVERY_MS, FIRST_MS = range(4), 40, 500, 2000
OWED = len(SESSIONS) ** 2 * MESSAGES
LATE_MS = 30


class Frames:
    """Writes unrecognised frames as the recorder does: by name, as strays, or counted by session and second."""

    def __init__(self, run):
        self.run, self.counts = run, {}

    def named(self, receiver, sender, seq, at, kind=SignalKind.OTHER):
        self.run.row(Kind.NAMED, Outcome.NONE, session=receiver, peer=sender, seq=seq, code=kind, arrived=at)

    def stray(self, receiver, at, kind=SignalKind.DELIVERY, flags=0):
        outcome = Outcome.GARBLED if kind is SignalKind.GARBLED else Outcome.NONE
        self.run.row(Kind.STRAY, outcome, session=receiver, code=kind, arrived=at, flags=flags)

    def other(self, receiver, at):
        self.counts[receiver, int(at // 1000)] = self.counts.get((receiver, int(at // 1000)), 0) + 1

    def write(self):
        for (session, second), frames in self.counts.items():
            self.run.row(
                Kind.UNRECOGNISED, Outcome.NONE, session=session, code=SignalKind.OTHER, seq=frames,
                arrived=second * 1000 + 999,
            )  # fmt: skip


def talk(run, become, also=lambda frames: None, late=LATE_MS, answer=None, member=True, seed=1):
    """`become(frames, receiver, sender, seq, at)` is True for a delivery that is recognised; otherwise it writes."""
    chance, frames = random.Random(seed), Frames(run)
    if member:
        run.member(*SESSIONS)
    for seq in range(1, MESSAGES + 1):
        for sender in SESSIONS:
            at = FIRST_MS + seq * EVERY_MS + chance.randrange(EVERY_MS)
            if answer is None or answer(frames, sender, seq, at):
                run.publish(sender, seq, at)
            else:
                run.publish(sender, seq, at, Outcome.EXPIRED)
            for receiver in SESSIONS:
                if become(frames, receiver, sender, seq, at + late):
                    run.deliver(receiver, sender, seq, at + late)
    also(frames)
    frames.write()
    run.ended = 26_000
    return run.report()


def recognised(frames, receiver, sender, seq, at):
    return True


def lost_are(share, seed=7):
    chance = random.Random(seed)
    return lambda *_: chance.random() >= share


def nothing(*_):
    return False


def under_the_servers_ids(frames, receiver, sender, seq, at):
    frames.stray(receiver, at)


def matching_nothing(frames, receiver, sender, seq, at):
    frames.other(receiver, at)


def naming_the_message(frames, receiver, sender, seq, at):
    frames.named(receiver, sender, seq, at)


def garbled(frames, receiver, sender, seq, at):
    frames.stray(receiver, at, SignalKind.GARBLED)


UNRECOGNISED = [under_the_servers_ids, matching_nothing, naming_the_message]


@pytest.mark.parametrize("become", UNRECOGNISED)
@pytest.mark.parametrize("late", [5, 400, 1500])
def test_deliveries_that_all_came_unrecognised_are_not_lost(make, become, late):
    report = talk(make(), become, late=late)
    assert found(report) == {"not-recognised": OWED}
    assert report["finding_counts"]["not-recognised"] == OWED
    assert report["finding_counts"]["lost"] is None and "lost" in report["not_judged"]
    assert report["ledger"]["all"]["lost"] == 0 and report["ledger"]["lost_examples"] == []


def test_deliveries_that_all_came_garbled_are_not_lost(make):
    assert found(talk(make(), garbled)) == {"not-recognised": OWED, "garbled": OWED}


def test_a_server_that_delivers_nothing_at_all_has_lost_it(make):
    assert found(talk(make(), nothing)) == {"lost": OWED}


def presence(frames):
    """Each member hears of each join, and of two returns during the load."""
    for receiver in SESSIONS:
        for at in (25, 26, 27, 28, 9000, 15000):
            frames.other(receiver, at)


def ticks(per_s):
    def tick(frames):
        for receiver in SESSIONS:
            for n in range(26 * per_s):
                frames.other(receiver, n * 1000 / per_s)

    return tick


def noisy(per_s):
    chance = random.Random(3)

    def tick(frames):
        for receiver in SESSIONS:
            for second in range(26):
                for _ in range(round(chance.gauss(per_s, per_s**0.5))):
                    frames.other(receiver, second * 1000)

    return tick


def typing(frames):
    """Once for each message and receiver, as the message is sent; none while nobody talks."""
    for receiver in SESSIONS:
        for seq in range(1, MESSAGES + 1):
            for _ in SESSIONS:
                frames.other(receiver, FIRST_MS + seq * EVERY_MS)


def another_run(frames):
    """Another load's messages in the same rooms, which begins and ends at times of its own."""
    for receiver in SESSIONS:
        for at in range(6000, 16_000, 80):
            frames.stray(receiver, at)


def receipts(frames):
    """Each sender hears of each of its messages by name; so does everybody of the messages of 3."""
    for seq in range(1, MESSAGES + 1):
        for sender in SESSIONS:
            frames.named(sender, sender, seq, FIRST_MS + seq * EVERY_MS + 400)
        for receiver in SESSIONS:
            frames.named(receiver, 3, seq, FIRST_MS + seq * EVERY_MS + 400)


@pytest.mark.parametrize("also", [presence, ticks(1), ticks(10), noisy(200), typing, another_run, receipts])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("seed", [7, 8, 9])
def test_losses_stay_losses_whatever_else_the_server_sends(make, also, share, seed):
    report = talk(make(), lost_are(share, seed), also)
    assert set(found(report)) == {"lost"}
    assert report["ledger"]["all"]["lost"] == OWED - report["ledger"]["all"]["paid"]


@pytest.mark.parametrize(("frames_each", "found_as"), [(1, "not-recognised"), (2, "not-recognised"), (5, "lost")])
def test_many_more_frames_than_are_missing_are_something_else(make, frames_each, found_as):
    chance = random.Random(5)

    def become(frames, receiver, _sender, _seq, at):
        if chance.random() >= 0.1:
            return True
        for _ in range(frames_each):
            frames.stray(receiver, at)
        return False

    assert set(found(talk(make(), become))) == {found_as}


@pytest.mark.parametrize("also", [presence, ticks(1), ticks(10)])
def test_a_server_that_delivers_nothing_and_sends_presence_or_ticks_has_lost_it(make, also):
    assert found(talk(make(), nothing, also)) == {"lost": OWED}


@pytest.mark.parametrize("also", [presence, ticks(1), ticks(10), noisy(200), typing, another_run, receipts])
def test_a_server_that_loses_nothing_shows_nothing_whatever_else_it_sends(make, also):
    assert found(talk(make(), recognised, also)) == {}


@pytest.mark.parametrize("other_way", UNRECOGNISED)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("late", [30, 700])
def test_a_share_that_came_another_way_is_not_lost(make, other_way, share, late):
    chance = random.Random(5)

    def become(*at):
        return True if chance.random() >= share else other_way(*at)

    report = talk(make(), become, late=late)
    assert set(found(report)) == {"not-recognised"}
    assert report["ledger"]["all"]["lost"] == 0


def test_what_came_another_way_and_what_is_lost_are_told_apart_by_the_messages_named(make):
    fates = random.Random(5)
    counts = {"lost": 0, "not-recognised": 0}

    def become(frames, *at):
        fate = fates.random()
        if fate < 0.02:
            counts["lost"] += 1
        elif fate < 0.2:
            counts["not-recognised"] += 1
            frames.named(*at)
        return fate >= 0.2

    assert found(talk(make(), become)) == counts


@pytest.mark.parametrize("other_way", UNRECOGNISED)
def test_own_copies_that_came_another_way_are_not_lost(make, other_way):
    def become(frames, receiver, sender, seq, at):
        return True if receiver != sender else other_way(frames, receiver, sender, seq, at)

    assert found(talk(make(), become)) == {"not-recognised": OWED // 4}


@pytest.mark.parametrize("other_way", [*UNRECOGNISED, nothing])
def test_one_room_is_judged_apart_from_the_other(make, other_way):
    run = make().member(0, 1).member(2, 3, room=1)
    frames = Frames(run)
    for seq in range(1, 31):
        at = 2000 + seq * 500
        run.publish(0, seq, at).deliver(0, 0, seq, at + 5).deliver(1, 0, seq, at + 5).publish(2, seq, at, room=1)
        other_way(frames, 2, 2, seq, at + 5)
        other_way(frames, 3, 2, seq, at + 5)
    ticks(1)(frames)  # everybody gets those
    frames.write()
    assert found(run.report()) == ({"lost": 60} if other_way is nothing else {"not-recognised": 60})


def other_clients(frames):
    for receiver in SESSIONS:
        for at in range(0, 26_000, 100):
            frames.stray(receiver, at)


def test_other_clients_messages_in_a_shared_room_are_counted_and_no_fault(make):
    report = talk(make(), recognised, other_clients)
    assert found(report) == {}
    assert report["strays"]["foreign_deliveries"] == 4 * 260


def test_other_clients_messages_do_not_hide_losses(make):
    assert set(found(talk(make(), lost_are(0.02), other_clients))) == {"lost"}


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("become", [recognised, nothing])
def test_an_id_of_the_run_that_no_session_can_have_is_a_message_that_nobody_sent(make, become, count):
    def made_up(frames):
        for n in range(count):
            frames.stray(0, 5000 + n, flags=Flag.MADE_UP)

    report = talk(make(), become, made_up)
    assert set(found(report)) - {"lost"} == {"unknown-delivery"}
    assert report["finding_counts"]["unknown-delivery"] == count
    assert report["finding_counts"]["lost"] == (OWED if become is nothing else 0)
    assert report["strays"]["foreign_deliveries"] == 0


# -- answers --------------------------------------------------------------------------------------------------------


def answer_named(frames, sender, seq, at):
    frames.named(sender, sender, seq, at + 5)


def answer_without_id(frames, sender, seq, at):
    frames.stray(sender, at + 5, SignalKind.ACK)


def answer_matching_nothing(frames, sender, seq, at):
    frames.other(sender, at + 5)


@pytest.mark.parametrize("answer", [answer_named, answer_without_id, answer_matching_nothing])
def test_answers_that_all_came_unrecognised_are_not_missing(make, answer):
    report = talk(make(), recognised, answer=answer)
    assert found(report) == {"not-recognised": 4 * MESSAGES}
    assert report["finding_counts"]["unanswered"] is None and "unanswered" in report["not_judged"]


def test_a_server_that_answers_nothing_leaves_it_unanswered(make):
    assert found(talk(make(), recognised, answer=nothing)) == {"unanswered": 4 * MESSAGES}


@pytest.mark.parametrize("also", [presence, ticks(1), ticks(10)])
@pytest.mark.parametrize("every", [1, 20])
def test_answers_that_are_missing_stay_so_whatever_else_the_server_sends(make, also, every):
    report = talk(make(), recognised, also, answer=lambda _frames, _sender, seq, _at: seq % every)
    assert found(report) == {"unanswered": 4 * (MESSAGES // every)}


def test_receipts_that_come_for_answered_messages_too_do_not_answer_the_others(make):
    report = talk(make(), recognised, receipts, answer=lambda _frames, _sender, seq, _at: seq % 10)
    assert found(report) == {"unanswered": 4 * (MESSAGES // 10)}


def test_joins_whose_answers_came_unrecognised_are_not_unanswered(make):
    run = make()
    frames = Frames(run)
    for session in SESSIONS:
        run.open(session).row(Kind.JOIN, Outcome.EXPIRED, session=session, room=0, seq=1, sent=20)
        frames.named(session, session, 1, 25)
    assert found(run.report()) == {"not-recognised": 4}


# -- what is shown --------------------------------------------------------------------------------------------------


def test_the_frames_that_say_most_are_shown_first(make):
    run, load = make(), 10**13
    for at_ns, signal, ours, text in (
        (1, "other", True, "presence"),
        (1, "delivery", False, "history"),
        (load, "other", False, "tick"),
        (load, "other", True, "said"),
    ):
        run.recorder.evidence(at_ns, "unmatched", 0, text, signal=signal, ours=ours)
    report = talk(run, naming_the_message)
    assert report["strays"]["examples"] == ["said", "tick", "history"]
    assert "said" in report["findings"][0]["text"]
    for shown in (on_the_terminal(report), on_the_page(report)):
        assert "not-recognised" in shown


def test_an_old_run_that_kept_no_such_rows_is_judged_as_before(make):
    report = talk(make(), lost_are(0.05))
    assert set(found(report)) == {"lost"} and report["ledger"]["all"]["unrecognised"] == 0
