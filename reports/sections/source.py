"""The sections `evidence` and `manifest`: what the endpoint said, and what was run on what."""

from collections import Counter

import msgspec

from harness.record.run_directory import RunDirectory

from ..manifest import Json
from ..registry import section

MOST_EVIDENCE = 50
"""How many lines the report repeats."""


class ManifestShown(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the run's manifest that the report repeats."""

    plan: Json | None
    """the resolved plan, credentials masked"""
    digest: str | None
    """SHA-256 of the plan"""
    topology: Json | None
    """processes, cores and endpoint of the run"""
    host: Json | None
    """machine and kernel"""
    versions: dict[str, str] | None
    """versions of Squall and its libraries"""
    stamps: str | None
    """where arrival times come from: `kernel` or `read`"""


@section("evidence")
def evidence(directory: RunDirectory) -> list[Json]:
    """What the endpoint said: refusals, close reasons, errors; of many lines, the first of each kind."""
    lines = [line for line in directory.evidence() if line.get("kind") != "code"]
    turns: Counter[str] = Counter()
    by_turn: list[tuple[int, int]] = []
    for at, line in enumerate(lines):
        kind = str(line.get("kind"))
        by_turn.append((turns[kind], at))
        turns[kind] += 1
    return [lines[at] for at in sorted(at for _, at in sorted(by_turn)[:MOST_EVIDENCE])]


@section("manifest")
def manifest(directory: RunDirectory) -> ManifestShown:
    """The parts of the manifest that the report repeats."""
    return msgspec.convert({key: directory.manifest.get(key) for key in ManifestShown.__struct_fields__}, ManifestShown)
