"""The dry run: two sessions of one room send one message of each kind; it shows which answers were recognised.

It finds a mistyped path in seconds, where a run would report every message as unanswered or lost. The sessions are
those of a run, so what is recognised here is recognised there; their ids begin with another nonce, by which a run knows
what an endpoint replays of them later.
"""

from collections.abc import Callable, Sequence

import gevent

from ..auth import Access
from ..client.context import Context
from ..client.receipts import Done
from ..client.session import Session
from ..client.tally import Tally
from ..errors import RunFailed
from ..placeholders import names
from ..plan import Plan
from ..record.codes import code_text_of
from ..record.row import NO_ROOM, Outcome
from ..schedule.rooms import Rooms, home_names
from ..transport.clock import Clock
from ..transport.connection_options import make_options
from ..transport.events import Arrival, Ending, Refusal
from ..transport.http_client import HttpClient
from ..transport.options import Address
from ..transport.sockets import Sockets
from ..units import SECOND
from ..wire.ids import check_nonce
from ..wire.signal import Signal
from ..wire.texts import Texts
from .checked import Asked, Found
from .plan_checks import make_checked_dialect
from .transcript import Reading, Speaking, Transcript

PATIENCE_S = 10.0
"""How long a step waits at most; `endpoint.answer_timeout_s` where that is shorter."""
IMPATIENCE_S = 2.0
"""The same once a step has ended without any answer: what answers nothing should not take a minute to say so."""
SETTLE_S = 0.1
"""Between the last answer to a join and the message, so that both sessions are members."""
CLOSE_S = 2.0
LOOK_EVERY_S = 0.005
OPEN_S = 600.0
"""The transport and the login have time limits of their own."""
RECOGNISED, NOTHING = "recognised", "nothing came that was recognised"


def dry_run(
    plan: Plan, nonce: str, pattern: str, addresses: Sequence[Address], *, publishes: bool
) -> Found:  # fmt: skip
    """Let two sessions talk.

    Args:
        plan: as it is carried out (`Plan.located`).
        nonce: the run's.
        pattern: how the sessions talk.
        addresses: of the endpoint, as preflight found them.
        publishes: whether a message is to be sent.

    Raises:
        NotConnected: a session could not connect.
        RunFailed: the talk broke off.
    """
    clock = Clock()
    broken: list[BaseException] = []
    clock.failure = broken.append
    talk: _Talk | None = None
    try:
        talk = _Talk(plan, check_nonce(nonce), pattern, tuple(addresses), clock, broken)
        return talk.through(publishes)
    finally:
        if talk is not None:
            talk.end()
        clock.close()


class NotConnected(RunFailed):
    """A session could not connect, so there is nothing to say of the plan."""


class _Speaker(Session):
    """A session whose frames are put into the transcript."""

    __slots__ = ("_reading", "_transcript", "speaking")

    def __init__(self, context: Context, number: int, pattern: str, transcript: Transcript, reading: Reading) -> None:
        super().__init__(context, number, context.pattern(pattern))
        self._transcript = transcript
        self._reading = reading
        self.dialect = self.speaking = Speaking(self.dialect, transcript, number, posts=self.posts)

    def received(self, data: bytes, when: Arrival) -> None:
        """A frame of a WebSocket."""
        self._transcript.begin_frame()
        super().received(data, when)
        self._transcript.end_frame(self.number, data, self._reading)

    def heard(self, signal: Signal, when: Arrival, data: bytes = b"") -> None:
        """A frame of a poll's answer, or one of a WebSocket that is being read."""
        if data:
            super().heard(signal, when, data)
            return
        frame = self._reading.frame_of(signal)
        self._transcript.begin_frame()
        super().heard(signal, when, frame)
        self._transcript.end_frame(self.number, frame, self._reading)


class _Door:
    """Hears what becomes of one connection."""

    def __init__(self) -> None:
        self.is_settled = False
        """Whether it has opened, or will not."""
        self.why: str | None = None
        """Why it did not open; None: it did, or it is not known yet."""

    def opened(self) -> None:
        self.is_settled = True

    def refused(self, why: Refusal, again: bool = False) -> None:
        self.is_settled = True
        self.why = f"{why.text} {' '.join(why.body.split())}".strip()

    def closed(self, end: Ending, when: Arrival) -> None:
        pass


class _Talk:
    """One dry run under way."""

    def __init__(
        self, plan: Plan, nonce: str, pattern: str, addresses: tuple[Address, ...], clock: Clock,
        broken: list[BaseException],
    ) -> None:  # fmt: skip
        self._plan = plan
        self._clock = clock
        self._broken = broken
        self._began_ns = clock.now()
        self._patience_s = min(PATIENCE_S, plan.endpoint.answer_timeout_s)
        self._access = access = Access(
            plan.endpoint, nonce, plan.load.sessions, failure=broken.append, http=HttpClient,
            room_of=home_names(plan.load, plan.seed) if plan.endpoint.room_key else None,
        )  # fmt: skip
        options = make_options(plan.endpoint, access.port, addresses, access.redaction)
        self._transcript = Transcript(nonce, clock.now, access.conceal)
        reading = Reading(make_checked_dialect(plan))
        tally = Tally(plan.load.room_count, plan.contract.delivers_to_sender)
        context = Context(
            plan, nonce, clock, Sockets(clock, broken.append), self._transcript, reading, access, options, tally
        )
        self._room, numbers = who_talks(plan)
        self._sessions = [_Speaker(context, number, pattern, self._transcript, reading) for number in numbers]
        self._asked: list[Asked] = []

    def through(self, publishes: bool) -> Found:
        """Open, join, publish, ping and leave."""
        first, room = self._sessions[0], self._room
        self._open()
        if room != NO_ROOM:
            self._each("join", lambda session, done: session.join(room, done), first.dialect.joins)
            gevent.sleep(SETTLE_S)
        if publishes:
            self._publish()
        if first.dialect.pings:
            self._each("ping", lambda session, done: session.ping(done), True)
        if room != NO_ROOM:
            self._each("leave", lambda session, done: session.leave(room, done), first.dialect.leaves)
        transcript = self._transcript
        return Found(
            self._began_ns, tuple(transcript.lines), transcript.left_out, transcript.said, tuple(self._asked),
            transcript.frames, transcript.strange,
        )  # fmt: skip

    def end(self) -> None:
        """Close what is open, in good order if the endpoint lets us."""
        try:
            for session in self._sessions:
                session.close()
            self._until(lambda: all(session.is_free for session in self._sessions), CLOSE_S)
            for session in self._sessions:
                session.abort()
        finally:
            self._access.close()
            self._transcript.close()

    # -- steps --------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        doors = []
        for session in self._sessions:
            session.listener = door = _Door()
            doors.append(door)
            session.open(self._clock.now())
        self._wait(lambda: all(door.is_settled for door in doors), OPEN_S)
        for session, door in zip(self._sessions, doors, strict=True):
            if door.why is not None:
                raise NotConnected(f"session {session.number} could not connect: {self._access.conceal(door.why)}")

    def _each(self, name: str, ask: Callable[[Session, Done], None], is_asked: bool) -> None:
        """Let all sessions ask for something at the same time, and wait for the answers.

        `is_asked` says whether the protocol has such a request: otherwise nothing is sent and nothing comes.
        """
        ended: dict[int, tuple[Outcome, int]] = {}

        def done(number: int) -> Done:
            return lambda outcome, code: ended.setdefault(number, (outcome, code)) and None

        for session in self._sessions:
            ask(session, done(session.number))
        self._wait(lambda: len(ended) == len(self._sessions), self._patience_s)
        if is_asked:
            for session in self._sessions:
                self._asked.append(_answer(f"answer to {name}, session {session.number}", ended.get(session.number)))
            if not ended:
                self._patience_s = min(self._patience_s, IMPATIENCE_S)

    def _publish(self) -> None:
        """One message of the first session, which every session should hear of."""
        plan, sender, heard = self._plan, self._sessions[0], self._transcript.deliveries
        text = plan.check.text or Texts(plan.seed, plan.load.payload_bytes).sign
        ended: list[tuple[Outcome, int]] = []
        sender.publish(self._room, text, done=lambda outcome, code: ended.append((outcome, code)))
        seq, acks = sender.speaking.published, sender.dialect.acks
        receivers = [
            session.number for session in self._sessions
            if self._room != NO_ROOM and (session is not sender or plan.contract.delivers_to_sender)
        ]  # fmt: skip

        def is_over() -> bool:
            if ended and ended[0][0] is not Outcome.OK:
                return True
            acked = bool(ended) or acks == "none"
            return acked and all((number, sender.number, seq) in heard for number in receivers)

        self._wait(is_over, self._patience_s)
        if not ended and acks != "none":
            self._patience_s = min(self._patience_s, IMPATIENCE_S)
        if acks != "none":
            what = "answer to publish" if acks == "frame" else "its own delivery, which confirms publish"
            answer = _answer(f"{what}, session {sender.number}", ended[0] if ended else None)
            if not ended and not self._transcript.strange and _is_any_text(plan):
                answer = answer._replace(found=f"{NOTHING}; if it takes certain texts only, put one into check.text")
            self._asked.append(answer)
        if ended and ended[0][0] is Outcome.REJECTED:
            return
        for number in receivers:
            if number == sender.number and acks == "delivery":
                continue  # told above
            came = (number, sender.number, seq) in heard
            whose = "own delivery" if number == sender.number else "delivery"
            self._asked.append(Asked(f"{whose}, session {number}", came, came, RECOGNISED if came else NOTHING))

    def _wait(self, is_over: Callable[[], bool], patience_s: float) -> None:
        """Let the sockets work until it is over, for a bounded time.

        Raises:
            BaseException: what of ours failed meanwhile.
        """
        self._until(is_over, patience_s)
        if self._broken:
            raise self._broken[0]

    def _until(self, is_over: Callable[[], bool], patience_s: float) -> None:
        until_ns = self._clock.now() + round(patience_s * SECOND)
        while not is_over() and self._clock.now() < until_ns and not self._broken:
            gevent.sleep(LOOK_EVERY_S)


def _answer(what: str, ended: tuple[Outcome, int] | None) -> Asked:
    """What came of a request that has ended, or has not (None)."""
    if ended is None:
        return Asked(what, False, False, NOTHING)
    outcome, code = ended
    if outcome is Outcome.OK:
        return Asked(what, True, True, RECOGNISED)
    if outcome is Outcome.REJECTED:
        return Asked(what, False, True, f"refused with code {code_text_of(code)}")
    return Asked(what, False, False, f"{outcome.name.lower()}{f', code {code}' if code else ''}")


def _is_any_text(plan: Plan) -> bool:
    """Whether the message says what no scenario may ever say."""
    described = plan.endpoint.json
    return described is not None and "text" in names(described.publish) and not plan.check.text


def who_talks(plan: Plan) -> tuple[int, tuple[int, ...]]:
    """A room and two of its sessions, or one where nobody shares it; NO_ROOM and one session where there are none."""
    rooms = Rooms(plan.load, plan.seed)
    if not rooms.count:
        return NO_ROOM, (0,)
    room = rooms.of(0)[0]
    other = next((number for number in range(1, plan.load.sessions) if room in rooms.of(number)), None)
    return room, (0,) if other is None else (0, other)
