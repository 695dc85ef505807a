"""The run directory: create it, claim a shard in it, seal it, and open it again for reading.

The one place that knows the files' names and the manifest's keys (`docs/run-directory.md` describes them). Sealing must
be possible on a full disk, so a reserve is allocated and freed just before sealing.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from ..errors import RunDirectoryError, RunFailed
from .row import FORMAT_VERSION, MAGIC, ROW_BYTES, SHARD_HEADER

MANIFEST = "run.json"
SEAL = "seal.json"
RESERVE = ".reserve"
RESERVE_BYTES = 64 * 1024

Status = Literal["complete", "interrupted", "failed", "unsealed"]


def create(base: Path, name: str, manifest: Mapping[str, Any]) -> Path:
    """Make a new run directory under `base` and write its manifest (format, nonce and `started` are added).

    Returns:
        The directory's path; its manifest holds the `nonce`.

    Raises:
        RunFailed: the directory or the manifest cannot be written.
    """
    now = datetime.now(UTC)
    nonce = str(manifest.get("nonce") or new_nonce())
    path = base / f"{now:%Y%m%d-%H%M%S}-{name}-{nonce}"
    content = {"format": FORMAT_VERSION, "nonce": nonce, "started": now.isoformat(timespec="milliseconds"), **manifest}
    try:
        path.mkdir(parents=True)
        (path / RESERVE).write_bytes(b"\0" * RESERVE_BYTES)
        write_json(path / MANIFEST, content)
    except OSError as error:
        raise RunFailed(
            f"cannot write the run directory {path}: {error.strerror}; choose another with --out"
        ) from error
    return path


def new_nonce() -> str:
    """A run's own mark: letters and digits, fit for ids, file names and query strings."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "".join(secrets.choice(alphabet) for _ in range(6))


def shard_paths(path: Path, worker: int) -> tuple[Path, Path]:
    """The rows file and the evidence file of this process."""
    tail = f"{worker}-{os.getpid()}"
    return path / f"shard-{tail}.rows", path / f"evidence-{tail}.jsonl"


def shard_header() -> bytes:
    """The first 64 bytes of a rows file."""
    return SHARD_HEADER.pack(MAGIC, FORMAT_VERSION, ROW_BYTES)


def seal(path: Path, status: Status, ended_ns: int, reason: str = "") -> None:
    """Say how the run ended, and with how many rows; the last thing written while running.

    Raises:
        RunFailed: even with the reserve given back there is no room, or the directory is gone.
    """
    shards = [{"name": shard.name, "rows": _extent(shard)[0]} for shard in sorted(path.glob("shard-*.rows"))]
    (path / RESERVE).unlink(missing_ok=True)
    content = {
        "status": status,
        "reason": reason,
        "ended_ns": ended_ns,
        "ended": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "shards": shards,
    }
    try:
        write_json(path / SEAL, content)
    except OSError as error:
        raise RunFailed(f"cannot seal {path}: {error.strerror}; its rows are kept and can be reported") from error


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file so that it is there whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class Shard:
    """One rows file as found: `rows` whole rows after the header, and `torn_bytes` of a last, incomplete one."""

    path: Path
    rows: int
    torn_bytes: int

    @property
    def rank(self) -> int:
        """Which process of the run wrote it."""
        return int(self.path.name.split("-")[1])


@dataclass(frozen=True)
class RunDirectory:
    """A run as found on disk; `warnings` says in plain lines what is wrong with it (torn rows, no seal).

    `incomplete` says what was sealed and is not there (any more).
    """

    path: Path
    manifest: dict[str, Any]
    status: Status
    reason: str
    ended_ns: int
    shards: tuple[Shard, ...]
    warnings: tuple[str, ...] = field(default=())
    incomplete: tuple[str, ...] = field(default=())

    def evidence(self) -> list[dict[str, Any]]:
        """Every evidence line of every process that is whole."""
        lines: list[dict[str, Any]] = []
        for file in sorted(self.path.glob("evidence-*.jsonl")):
            for line in file.read_bytes().splitlines():
                try:
                    lines.append(msgspec.json.decode(line, type=dict[str, Any]))
                except msgspec.DecodeError:
                    continue
        return lines


def open_run(path: Path) -> RunDirectory:
    """Find out what a directory holds: manifest, seal (or its absence), shards and their whole rows.

    Raises:
        RunDirectoryError: it is not there, is not a run directory, is of a newer version, or is damaged beyond use.
    """
    if not path.is_dir():
        raise RunDirectoryError(f"{path} is not a directory; give the one that `squall run` printed")
    manifest = _read_json(path / MANIFEST, f"{path} is not a run directory: it has no {MANIFEST}")
    version = manifest.get("format")
    if not isinstance(version, int):
        raise RunDirectoryError(f"{path} is not a run directory: {MANIFEST} has no format number")
    if version > FORMAT_VERSION:
        raise RunDirectoryError(
            f"{path} has format {version}, this squall reads up to {FORMAT_VERSION}: report it with the newer squall"
        )
    warnings: list[str] = []
    incomplete: list[str] = []
    shards = tuple(_open_shard(file, warnings) for file in sorted(path.glob("shard-*.rows")))
    status: Status = "unsealed"
    reason, ended_ns = "", 0
    if (path / SEAL).exists():
        sealed = _read_json(path / SEAL, f"{path / SEAL} cannot be read")
        status, reason, ended_ns = sealed["status"], sealed.get("reason", ""), sealed.get("ended_ns", 0)
        _compare_with_seal(shards, sealed.get("shards", []), incomplete)
    else:
        warnings.append("the run was killed before it was sealed: figures end where the rows end")
    return RunDirectory(path, manifest, status, reason, ended_ns, shards, tuple(warnings), tuple(incomplete))


def _compare_with_seal(shards: tuple[Shard, ...], sealed: list[dict[str, Any]], incomplete: list[str]) -> None:
    found = {shard.path.name: shard.rows for shard in shards}
    for entry in sealed:
        rows = found.get(entry["name"])
        if rows is None:
            incomplete.append(f"{entry['name']} is missing: {entry['rows']} rows were sealed in it")
        elif rows < entry["rows"]:
            incomplete.append(f"{entry['name']} has {rows} rows, {entry['rows']} were sealed: it was cut short")


def _open_shard(file: Path, warnings: list[str]) -> Shard:
    with file.open("rb") as stream:
        header = stream.read(ROW_BYTES)
    if len(header) < ROW_BYTES:
        warnings.append(f"{file.name} has no whole header: nothing of it can be read")
        return Shard(file, 0, len(header))
    magic, version, row_bytes = SHARD_HEADER.unpack(header)
    if magic != MAGIC or row_bytes != ROW_BYTES or version > FORMAT_VERSION:
        raise RunDirectoryError(f"{file} is not a shard of format {FORMAT_VERSION}: it was damaged or replaced")
    rows, torn_bytes = _extent(file)
    if torn_bytes:
        warnings.append(f"{file.name} ends in a torn row: {torn_bytes} bytes, one row, lost")
    return Shard(file, rows, torn_bytes)


def _extent(file: Path) -> tuple[int, int]:
    """Whole rows and left-over bytes after the header."""
    return divmod(max(0, file.stat().st_size - ROW_BYTES), ROW_BYTES)


def _read_json(path: Path, absent: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        raise RunDirectoryError(absent) from None
    except (OSError, msgspec.DecodeError) as error:
        raise RunDirectoryError(f"{path} cannot be read: {error}") from error
