from array import array

import pytest

from harness.errors import UsageError
from harness.plan.shape import Replay
from harness.schedule.replay import read_times
from harness.units import SECOND


def read(tmp_path, text, **shape):
    (tmp_path / "times.csv").write_text(text, encoding="utf-8")
    return read_times(Replay(file="times.csv", **shape), tmp_path / "plan.toml")


@pytest.mark.parametrize(
    ("text", "shape", "seconds"),
    [
        ("0\n1.5\n2\n", {}, [0, 1.5, 2]),
        ("5\n5.25\n", {}, [0, 0.25]),
        ("time\n1764000000.000001\n1764000000.5\n", {}, [0, 0.499999]),
        ("who,at\nann,3\nbob,4\n", {"column": "at"}, [0, 1]),
        ("2026-11-24T10:00:00Z\n2026-11-24T10:00:02.5+00:00\n2026-11-24T11:00:01+01:00\n", {}, [0, 1, 2.5]),
        ("3\n1\n2\n", {}, [0, 1, 2]),
        ("\ufeffat\n1\n\n2\n\n", {}, [0, 1]),
        ("0\n3\n", {"speed": 2.0}, [0, 1.5]),
    ],
)
def test_times_are_read_from_the_earliest_on_to_the_microsecond(tmp_path, text, shape, seconds):
    assert read(tmp_path, text, **shape) == array("q", (round(second * SECOND) for second in seconds))


@pytest.mark.parametrize(
    ("text", "shape", "said"),
    [
        ("", {}, "holds no times"),
        ("time\n", {}, "holds no times"),
        ("1\ntwo\n3\n", {}, 'line 2: "two" is no time; write seconds'),
        ("at\n1\n\nx\n", {"column": "at"}, 'line 4: "x" is no time'),
        ("a,b\n1,2\n", {"column": "c"}, 'has no column "c"; it has a, b'),
        ("a,b\n1,2\n3\n", {"column": "b"}, 'line 3: "" is no time'),
        ("1\nnan\n", {}, "is no time"),
        ("1\n1e40\n", {}, "is no time"),
    ],
)
def test_a_bad_file_is_one_line_that_says_where(tmp_path, text, shape, said):
    with pytest.raises(UsageError, match=r"load\.shape\.") as caught:
        read(tmp_path, text, **shape)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_not_text_is_one_line(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*none\.csv: No such file"):
        read_times(Replay(file="none.csv"), tmp_path / "plan.toml")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"cannot read .*b\.csv"):
        read_times(Replay(file="b.csv"), tmp_path / "plan.toml")
