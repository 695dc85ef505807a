import errno
import os
import re
from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from harness.errors import RunDirectoryError, RunFailed
from harness.record import run_directory
from harness.record.recorder import BUFFERED_ROWS, EvidenceKind, Recorder
from harness.record.row import DTYPE, ROW_BYTES, Kind, Outcome
from tests.exhausted import no_descriptors


@pytest.fixture
def path(tmp_path):
    return run_directory.create(tmp_path, "test", {"nonce": "abc123"})


def rows_of(path):
    return np.fromfile(path, dtype=np.dtype(DTYPE), offset=ROW_BYTES)


def record(path, count=3):
    with Recorder(path) as recorder:
        for n in range(count):
            recorder.row(Kind.PUBLISH, Outcome.OK, seq=n, due=n + 1, sent=n + 2, arrived=n + 3, read=n + 4)
    return recorder.rows_path


def test_rows_come_back_as_they_were_written(path):
    shard = record(path, BUFFERED_ROWS + 5)
    rows = rows_of(shard)
    assert len(rows) == BUFFERED_ROWS + 5
    assert list(rows["seq"][:3]) == [0, 1, 2]
    assert set(rows["kind"]) == {Kind.PUBLISH}
    assert rows["read"][-1] == BUFFERED_ROWS + 4 + 4


def test_a_sealed_run_opens_without_a_warning(path):
    record(path)
    run_directory.seal(path, "complete", 99)
    run = run_directory.open_run(path)
    assert (run.status, run.ended_ns, run.warnings) == ("complete", 99, ())
    assert [shard.rows for shard in run.shards] == [3]


def test_an_unsealed_run_opens_and_says_so(path):
    record(path)
    run = run_directory.open_run(path)
    assert run.status == "unsealed"
    assert "killed before it was sealed" in run.warnings[0]


def test_a_torn_row_is_counted_and_the_whole_ones_are_kept(path):
    shard = record(path)
    os.truncate(shard, ROW_BYTES * 3 + 17)
    run = run_directory.open_run(path)
    assert [(found.rows, found.torn_bytes) for found in run.shards] == [(2, 17)]
    assert any("torn row: 17 bytes" in warning for warning in run.warnings)


def test_rows_missing_against_the_seal_are_told(path):
    shard = record(path)
    run_directory.seal(path, "complete", 1)
    os.truncate(shard, ROW_BYTES * 2)
    assert any("3 were sealed" in warning for warning in run_directory.open_run(path).incomplete)
    shard.unlink()
    assert any("is missing" in warning for warning in run_directory.open_run(path).incomplete)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is not a run directory"),
        (b"{}", "no format number"),
        (b"[", "cannot be read"),
        (b'{"format": 99}', "has format 99"),
    ],
)
def test_what_is_not_a_run_directory_of_ours_is_refused_in_one_line(tmp_path, content, said):
    if content is not None:
        (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(RunDirectoryError, match=said) as caught:
        run_directory.open_run(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_path_that_is_no_directory_is_refused(tmp_path):
    with pytest.raises(RunDirectoryError, match="is not a directory"):
        run_directory.open_run(tmp_path / "nothing")


def test_a_foreign_file_in_place_of_a_shard_is_refused(path):
    (path / "shard-0-1.rows").write_bytes(b"x" * 200)
    with pytest.raises(RunDirectoryError, match="not a shard"):
        run_directory.open_run(path)


def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFailed, match="choose another with --out"):
        run_directory.create(tmp_path / "file", "x", {})


def test_a_full_disk_fails_the_flush_and_keeps_what_was_whole(path, monkeypatch):
    recorder = Recorder(path)
    recorder.row(Kind.PING)
    recorder.flush()
    real = os.write
    calls = []

    def write(descriptor, data):
        if calls:
            raise OSError(errno.ENOSPC, "No space left on device")
        calls.append(1)
        return real(descriptor, bytes(data)[:100])  # a short write, then nothing

    monkeypatch.setattr(os, "write", write)
    recorder.row(Kind.PING)
    recorder.row(Kind.PING)
    with pytest.raises(RunFailed, match="No space left"):
        recorder.flush()
    monkeypatch.undo()
    recorder.close()
    assert len(rows_of(recorder.rows_path)) == 2
    assert run_directory.open_run(path).shards[0].torn_bytes == 0


def test_rows_and_evidence_after_a_write_that_failed_in_the_middle_are_read_as_they_were_written(path, monkeypatch):
    recorder = Recorder(path)
    recorder.row(Kind.PING, session=1)
    recorder.evidence(1, "note", 1, "before")
    recorder.flush()
    real = os.write
    room_bytes = 100

    def write(descriptor, data):
        nonlocal room_bytes
        count = min(len(data), room_bytes)
        room_bytes -= count
        if not count:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, bytes(data)[:count])

    monkeypatch.setattr(os, "write", write)
    recorder.row(Kind.PUBLISH, session=2)
    recorder.row(Kind.PUBLISH, session=3)  # of which 36 bytes can be written
    with pytest.raises(RunFailed):
        recorder.flush()
    room_bytes = 10
    recorder.evidence(2, "note", 2, "torn")
    with pytest.raises(RunFailed):
        recorder.flush()
    monkeypatch.undo()
    recorder.row(Kind.JOIN, session=4)
    recorder.evidence(3, "note", 3, "after")
    recorder.close()
    rows = rows_of(recorder.rows_path)
    assert list(zip(rows["kind"], rows["session"], strict=True)) == [
        (Kind.PING, 1), (Kind.PUBLISH, 2), (Kind.JOIN, 4)
    ]  # fmt: skip
    assert [line["text"] for line in run_directory.open_run(path).evidence()] == ["before", "after"]


def test_a_process_without_a_descriptor_left_still_records(path):
    recorder = Recorder(path)
    with no_descriptors():
        recorder.row(Kind.OPEN, Outcome.CLOSED, code=errno.EMFILE)
        recorder.evidence(1, "refused", errno.EMFILE, "Too many open files")
        recorder.flush()
    recorder.close()
    assert len(rows_of(recorder.rows_path)) == 1
    assert [line["code"] for line in run_directory.open_run(path).evidence()] == [errno.EMFILE]


def kept(path):
    """How many lines of evidence each kind has."""
    return Counter(line["kind"] for line in run_directory.open_run(path).evidence())


def test_evidence_is_cut_and_said_once(path):
    with Recorder(path) as recorder:
        for n in range(500):
            recorder.evidence(n, "refused", 401, "nope")
            recorder.evidence(n, "note", 0, "x" * (1998 + n))
    assert kept(path) == {"refused": 1, "note": 3}  # of 1998, 1999 and 2000 characters: longer ones are the last again


@pytest.mark.parametrize(("texts", "lines"), [(0, 0), (1, 1), (99, 99), (100, 100), (101, 100)])
def test_each_kind_of_evidence_has_a_bound_of_its_own(path, texts, lines):
    with Recorder(path) as recorder:
        for n in range(texts):
            recorder.evidence(n, "error", 400, f"no such message: k3-7-{n}")
        for kind in get_args(EvidenceKind):
            if kind != "error":
                recorder.evidence(500, kind, 0, "the first of its kind")
    assert kept(path) == Counter(error=lines) + Counter({kind: 1 for kind in get_args(EvidenceKind) if kind != "error"})


def test_the_kinds_of_evidence_are_those_that_the_document_describes():
    page = (Path(__file__).parents[2] / "docs" / "run-directory.md").read_text()
    table = page.split("## evidence-*.jsonl")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(get_args(EvidenceKind))


def test_a_nonce_is_fit_for_ids_and_urls():
    assert all(run_directory.new_nonce().isalnum() for _ in range(50))
