"""The transcript of a dry run: every frame, sent and received, with what it was taken for.

A session records what it takes a frame for as rows; here the rows become words next to the frame that caused them. So
the transcript shows what a run would do, whatever the rules are by which a session matches.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ..plan.masking import mask_all
from ..record.codes import code_text_of
from ..record.recorder import Recorder
from ..record.row import NO_PEER, NO_ROOM, Closer, Flag, Kind, Outcome, SignalKind
from ..wire import Dialect, Message
from ..wire.signal import Signal
from ..wire.taken import Taken, describe

SHOWN_CHARS = 400
"""How much of a frame is shown."""
MOST_LINES = 200
"""How many lines are kept: an endpoint may push anything in any number."""
MOST_RULES = 8
"""How many of the rules that a frame does not match are explained."""
REQUESTS = {Kind.JOIN: "join", Kind.LEAVE: "leave", Kind.PUBLISH: "publish", Kind.PING: "ping"}


class Line(NamedTuple):
    """One frame, or something else that happened.

    Args:
        at_ns: when, on the monotonic clock.
        session: whose.
        sign: `->` sent, `<-` received, `--` anything else.
        text: the frame, without secrets and control characters, cut to a bounded length.
        meaning: what it was taken for.
    """

    at_ns: int
    session: int
    sign: str
    text: str
    meaning: str = ""


class Transcript(Recorder):
    """Takes the place of a recorder; what would be rows and evidence become lines and facts."""

    def __init__(self, nonce: str, clock_now: Callable[[], int], conceal: Callable[[str], str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="squall-check-")
        super().__init__(Path(self._folder.name), 0, conceal)
        self._nonce = nonce
        self._now = clock_now
        self._hide = conceal
        self._notes: list[str] | None = None
        """What the frame that is being read was taken for so far; None between frames."""
        self._said = ""
        """The text of an error that came without a frame, for the line that follows."""
        self._last = 0
        """The session of the last row."""
        self._is_known = False
        """Whether the frame that is being read was recognised."""
        self.lines: list[Line] = []
        self.left_out = 0
        """How many lines were too many."""
        self.said = 0
        """How many frames and bodies were made to be sent."""
        self.frames = 0
        """How many frames came."""
        self.strange = 0
        """How many of them were not recognised."""
        self.deliveries: set[tuple[int, int, int]] = set()
        """Who has received which message: receiver, sender, number."""

    # -- frames -------------------------------------------------------------------------------------------------

    def sent(self, session: int, what: str, data: bytes) -> None:
        """A frame or a body is about to be sent."""
        self.said += 1
        self._add(session, "->", self.shown(data) or "(a poll)", what)

    def begin_frame(self) -> None:
        """A frame is about to be read."""
        self._notes = []

    def end_frame(self, session: int, data: bytes, dialect: Dialect) -> None:
        """It was read: put what it was taken for beside it."""
        notes, self._notes = self._notes or [], None
        is_known, self._is_known = self._is_known, False
        self.frames += 1
        explained = dialect.explain(data)
        taken = [describe(each, data, self._nonce, MOST_RULES) for each in explained]
        if not is_known:
            self.strange += 1
            notes = notes or [self._why_nothing(explained)]
        self._add(session, "<-", self.shown(data), self.plain("; ".join([*taken, *notes])))

    def _why_nothing(self, explained: tuple[Taken, ...]) -> str:
        """Why a frame did not count: it is no answer to an open request, and no delivery of a message of the check."""
        ours = [each for each in explained if self._nonce in each.fields.get("id", "")]
        if any(each.kind is SignalKind.DELIVERY for each in ours):
            return "the id has more in it than one of ours"
        return "answers no request that is open" if ours else "belongs to nothing that was sent"

    def _add(self, session: int, sign: str, text: str, meaning: str = "") -> None:
        if len(self.lines) < MOST_LINES:
            self.lines.append(Line(self._now(), session, sign, text, meaning))
        else:
            self.left_out += 1

    def shown(self, data: bytes) -> str:
        """A frame as it may be printed."""
        text = data.decode("utf-8", "replace")
        try:
            decoded = msgspec.json.decode(data)
            masked = mask_all("", decoded)
            if masked != decoded:
                text = msgspec.json.encode(masked).decode()
        except (msgspec.DecodeError, ValueError, RecursionError):
            pass
        text = self.plain(text)
        return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}... ({len(data)} bytes)"

    def plain(self, text: str) -> str:
        """A text without secrets, and without what a terminal would obey."""
        text = self._hide(text)
        return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)

    # -- what a session records ---------------------------------------------------------------------------------

    def row(
        self, kind: int, outcome: int = Outcome.NONE, flags: int = 0, code: int = 0, session: int = 0, conn: int = 0,
        room: int = NO_ROOM, peer: int = NO_PEER, seq: int = 0, due: int = 0, sent: int = 0, arrived: int = 0,
        read: int = 0,
    ) -> None:  # fmt: skip
        """Turn a row into words, and keep what the verdict needs."""
        ended = Outcome(outcome)
        self._last = session
        if kind in REQUESTS and not flags & Flag.IMPLICIT:
            self._ended(session, f"{REQUESTS[Kind(kind)]} {seq}", ended, code, arrived)
        elif kind == Kind.DELIVERY:
            self.deliveries.add((session, peer, seq))
            self._is_known = True
            self._mean(session, f"delivers message {seq} of session {peer}")
        elif kind == Kind.STRAY and code in (SignalKind.ACK, SignalKind.PONG, SignalKind.ERROR):
            self._mean(session, "answers no request of this session")
        elif kind == Kind.OPEN:
            self.note(session, "opened" if ended is Outcome.OK else f"not opened: {ended.name.lower()} {code or ''}")
        elif kind == Kind.CLOSE:
            self.note(session, f"closed by {Closer(peer).name.lower()}: {code}")
        elif kind == Kind.FETCH and ended not in (Outcome.OK, Outcome.ABANDONED):
            self.note(session, f"poll: {ended.name.lower()} {code or ''}")

    def _ended(self, session: int, request: str, outcome: Outcome, code: int, arrived: int) -> None:
        self._is_known = True
        if outcome is Outcome.OK:
            if arrived:
                self._mean(session, f"answers {request}")
        elif outcome is Outcome.REJECTED:
            self._mean(session, f"refuses {request}: code {code_text_of(code)}")
        elif outcome is Outcome.EXPIRED:
            self.note(session, f"no answer to {request}")
        else:
            self.note(session, f"{request}: {outcome.name.lower()} {code or ''}")

    def _mean(self, session: int, what: str) -> None:
        if self._notes is not None:
            self._notes.append(what)
        else:
            self.note(session, what)

    def note(self, session: int, text: str) -> None:
        """Something that is no frame has happened."""
        said, self._said = self._said, ""
        self._add(session, "--", self.plain(f"{text}; {said}" if said else text))

    def evidence(self, at_ns: int, kind: str, code: int, text: str, **more: Any) -> None:
        """Add the text of a refusal, a close or a delivery."""
        said = {"error": f"says: {text}", "elsewhere": f'names room "{text}", which is none of the plan\'s'}.get(kind)
        if said is not None and self._notes is not None:
            self._notes.append(said)
        elif kind == "error":
            self._said = f"says: {text}"
        elif kind in ("refused", "closed"):
            self.note(self._last, f"{kind}: {text}")

    def close(self) -> None:
        """Nothing is kept."""
        super().close()
        self._folder.cleanup()


class Speaking:
    """A dialect whose frames are put into the transcript as they are made."""

    def __init__(self, dialect: Dialect, transcript: Transcript, session: int, *, posts: bool) -> None:
        self.acks, self.joins, self.leaves, self.pings = dialect.acks, dialect.joins, dialect.leaves, dialect.pings
        self.plain_ids = dialect.plain_ids
        self.decode, self.explain = dialect.decode, dialect.explain
        self._dialect = dialect
        self._transcript = transcript
        self._session = session
        self._posts = posts
        self.published = 0
        """The number of the last message; 0 before the first."""

    def join(self, message: Message) -> bytes:
        """A join."""
        return self._sent(f"join {message.seq} of {message.room}", self._dialect.join(message))

    def leave(self, message: Message) -> bytes:
        """A leave."""
        return self._sent(f"leave {message.seq} of {message.room}", self._dialect.leave(message))

    def publish(self, message: Message) -> bytes:
        """A message."""
        self.published = message.seq
        way = "post" if self._posts else "publish"
        room = f" to {message.room}" if message.room else ""
        return self._sent(f"{way} {message.seq}{room}", self._dialect.publish(message))

    def ping(self, message: Message) -> bytes:
        """A ping."""
        return self._sent(f"ping {message.seq}", self._dialect.ping(message))

    def _sent(self, what: str, data: bytes) -> bytes:
        self._transcript.sent(self._session, what, data)
        return data


class Reading:
    """The dialect that polls are read by: remembers the frame behind each signal."""

    def __init__(self, dialect: Dialect) -> None:
        self.acks, self.joins, self.leaves, self.pings = dialect.acks, dialect.joins, dialect.leaves, dialect.pings
        self.plain_ids = dialect.plain_ids
        self.join, self.leave, self.publish, self.ping = dialect.join, dialect.leave, dialect.publish, dialect.ping
        self.explain = dialect.explain
        self._dialect = dialect
        self._read: list[tuple[Signal, bytes]] = []

    def decode(self, data: bytes) -> tuple[Signal, ...]:
        """As the dialect."""
        signals = self._dialect.decode(data)
        self._read = [*self._read[-MOST_LINES:], *((signal, data) for signal in signals)]
        return signals

    def frame_of(self, signal: Signal) -> bytes:
        """The frame that a signal was read from; empty when that is long ago."""
        return next((data for each, data in reversed(self._read) if each is signal), b"")
