"""The recorder: append one fixed-width row per ended operation, flush every second, never block the hot path.

A row is packed into a preallocated buffer, which is written out when it is full or flushed: a row costs well under a
microsecond, and a killed process loses at most one second of rows. A full disk is remembered and raised at the next
flush; what was written before is kept. Both files are open from the beginning, so that a run which exhausts its
descriptors is recorded too.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from ..errors import RunFailed
from .codes import NamedCode, code_text_of
from .row import NO_PEER, NO_ROOM, ROW, ROW_BYTES, Outcome
from .run_directory import shard_header, shard_paths

BUFFERED_ROWS = 4096
BUFFERED_BYTES = BUFFERED_ROWS * ROW_BYTES
pack_into = ROW.pack_into
EvidenceKind = Literal["refused", "closed", "error", "unmatched", "elsewhere", "code", "listed", "note"]
"""The kinds of evidence; docs/run-directory.md describes them."""
EVIDENCE_LINES = 100
"""How many lines of each kind one process keeps, so that one kind never takes the place of another."""
EVIDENCE_TEXT = 2000
"""How many characters of each text are kept."""


class Recorder:
    """One process's shard, open for appending; `conceal` takes out of a text what must not be written down.

    Raises:
        RunFailed: the shard cannot be created.
    """

    def __init__(self, path: Path, worker: int = 0, conceal: Callable[[str], str] = str) -> None:
        self._conceal = conceal
        self.rows_path, self.evidence_path = shard_paths(path, worker)
        self._buffer = bytearray(BUFFERED_BYTES)
        self._used = 0
        self._seen: dict[EvidenceKind, set[tuple[int, str]]] = {}
        self._unwritten_evidence: list[dict[str, Any]] = []
        try:
            self._file = os.open(self.rows_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
            os.write(self._file, shard_header())
            self._evidence = os.open(self.evidence_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise RunFailed(f"cannot record into {self.rows_path}: {error.strerror}") from error

    def row(
        self,
        kind: int,
        outcome: int = Outcome.NONE,
        flags: int = 0,
        code: int = 0,
        session: int = 0,
        conn: int = 0,
        room: int = NO_ROOM,
        peer: int = NO_PEER,
        seq: int = 0,
        due: int = 0,
        sent: int = 0,
        arrived: int = 0,
        read: int = 0,
    ) -> None:
        """Append one row; the columns are described in docs/run-directory.md, times in ns, 0 for absent.

        Raises:
            RunFailed: the buffer was full and could not be written.
        """
        if self._used == BUFFERED_BYTES:
            self.flush()
        pack_into(
            self._buffer, self._used,
            kind, outcome, flags, code, session, conn, room, peer, seq, due, sent, arrived, read,
        )  # fmt: skip
        self._used += ROW_BYTES

    def evidence(self, at_ns: int, kind: EvidenceKind, code: int, text: str, **more: Any) -> None:
        """Keep what does not fit a row, once per (kind, code, text) and at most EVIDENCE_LINES of a kind.

        Args:
            at_ns: when it was seen, on the monotonic clock.
            kind: what it is evidence of.
            code: the status, close code or error code; 0 for none.
            text: the endpoint's words or ours, cut to EVIDENCE_TEXT characters; secrets are masked, also in `more`.
            more: further fields of the line.
        """
        seen = self._seen.setdefault(kind, set())
        if len(seen) >= EVIDENCE_LINES:
            return
        text = self._conceal(text)[:EVIDENCE_TEXT]
        if (code, text) in seen:
            return
        seen.add((code, text))
        shown = code_text_of(code) if isinstance(code, NamedCode) else code
        self._unwritten_evidence.append(
            {"at_ns": at_ns, "kind": kind, "code": shown, "text": text, **self._without_secrets(more)}
        )

    def name_code(self, code: int, at_ns: int) -> None:
        """Keep as evidence which code a number in the `code` column means, where the number does not say it."""
        if isinstance(code, NamedCode):
            self.evidence(at_ns, "code", int(code), code.name)

    def _without_secrets(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._without_secrets(inside) for name, inside in value.items()}
        return self._conceal(value) if isinstance(value, str) else value

    def flush(self) -> None:
        """Hand everything appended so far to the kernel.

        Raises:
            RunFailed: the disk is full or gone; whole rows already written stay.
        """
        if self._file < 0:
            return
        used, self._used = self._used, 0
        try:
            if used:
                _append(self._file, memoryview(self._buffer)[:used], ROW_BYTES)
            if self._unwritten_evidence:
                lines, self._unwritten_evidence = self._unwritten_evidence, []
                text = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
                _append(self._evidence, memoryview(text), len(text))
        except OSError as error:
            raise RunFailed(
                f"cannot record into {self.rows_path}: {error.strerror}; what was recorded until then is kept"
            ) from error

    def close(self) -> None:
        """Flush and close; closing twice is harmless.

        Raises:
            RunFailed: as `flush`; the file is closed all the same.
        """
        if self._file < 0:
            return
        try:
            self.flush()
        finally:
            os.close(self._file)
            os.close(self._evidence)
            self._file = -1

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _append(file: int, view: memoryview, unit_bytes: int) -> None:
    """Append `view`, which is whole units; where that fails in the middle of one, what was written of it is taken back.

    Otherwise whatever is appended later, once there is room again, would be shifted against what readers expect.

    Raises:
        OSError: as `write(2)`.
    """
    written = 0
    try:
        while written < len(view):
            written += os.write(file, view[written:])
    except OSError:
        if torn := written % unit_bytes:
            os.ftruncate(file, os.fstat(file).st_size - torn)
        raise
