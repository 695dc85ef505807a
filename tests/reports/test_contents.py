"""Texts and senders' names of deliveries: when they are judged, and how many are wrong."""

import pytest

from harness.record.row import Content, Flag, Kind

from .conftest import on_the_page, on_the_terminal

SAME, LIKE = Content.COMPARED, Content.COMPARED | Content.ALTERED
UNLIKE, ABSENT = Content.COMPARED | Content.UNLIKE, Content.TEXT
JSON = {
    "publish": {"op": "say", "id": "{id}", "room": "{room}", "text": "{text}"},
    "ack": {"match": {"op": "ok"}, "id": "id"},
    "delivery": {"match": {"op": "said"}, "id": "id", "room": "room"},
}


def bearing(run, *contents, sender=0, flags=Flag.EXACT):
    """Session 1 receives one message of the sender for each of these contents."""
    first = getattr(run, "numbers", 0)
    for seq, content in enumerate(contents, first + 1):
        run.publish(sender, seq, 2000 + seq, flags=flags)
        run.row(Kind.DELIVERY, session=1, peer=sender, seq=seq, room=0, code=content, arrived=2005 + seq, flags=1)
    run.numbers = first + len(contents)
    return run


def name(number):
    return number << Content.NAME_SHIFT


def ours(session):
    return name(Content.SESSION + session)


def judged(run, of):
    return run.report()["finding_counts"][of]


@pytest.mark.parametrize(
    ("contents", "count"),
    [
        ((), None),
        ((0, 0), None),
        ((SAME,), 0),
        ((SAME, SAME, 0), 0),
        ((SAME, LIKE), 1),
        ((LIKE, LIKE), 2),
        ((UNLIKE, UNLIKE), 2),
        ((SAME, ABSENT), 1),
        ((UNLIKE, ABSENT), 2),
        ((ABSENT, ABSENT), None),
    ],
)
def test_where_the_place_of_the_text_is_known_each_other_text_counts(make, contents, count):
    report = bearing(make(contract={"delivers_to_sender": False}).member(0, 1), *contents).report()
    assert report["finding_counts"]["altered"] == count
    if count is not None:
        assert report["contents"]["texts"]["compared"] == sum(content > 0 for content in contents)


@pytest.mark.parametrize(
    ("contents", "count"),
    [((SAME, UNLIKE), 1), ((LIKE, UNLIKE, ABSENT), 3), ((UNLIKE, UNLIKE), None), ((ABSENT,), None)],
)
@pytest.mark.parametrize("path", ["", "text"])
def test_where_the_place_was_guessed_something_must_be_like_a_text(make, contents, count, path):
    described = JSON | {"delivery": JSON["delivery"] | ({"text": path} if path else {})}
    run = make(endpoint={"url": "ws://127.0.0.1:9/", "dialect": "json", "json": described}).member(0, 1)
    wanted = 2 if path and contents == (UNLIKE, UNLIKE) else count
    assert judged(bearing(run, *contents), "altered") == wanted


def test_texts_of_the_scenarios_own_are_not_compared(make):
    run = bearing(make().member(0, 1), UNLIKE, flags=Flag.EXACT | Flag.OWN_TEXT)
    report = bearing(run, SAME).report()
    assert report["finding_counts"]["altered"] == 0
    assert (report["contents"]["texts"]["own"], report["contents"]["texts"]["compared"]) == (1, 1)


def test_only_texts_of_the_scenarios_own_are_not_judged(make):
    assert judged(bearing(make().member(0, 1), UNLIKE, flags=Flag.EXACT | Flag.OWN_TEXT), "altered") is None


@pytest.mark.parametrize(
    ("contents", "count"),
    [
        ((0,), None),
        ((ours(0),), 0),
        ((ours(0), ours(2), ours(0)), 1),
        ((ours(2), ours(3)), 2),
        ((ours(1), ours(1), ours(1)), None),  # the receiver's own
        ((ours(1), ours(2)), 2),
        ((ours(0), ours(1)), None),
        ((name(5),) * 3, 0),
        ((name(5), name(5), name(6)), 1),
        ((name(5), name(6)), None),
        ((name(5), name(6), name(7)), None),
        ((ours(0), name(5), name(5), name(6)), 1),
    ],
)
def test_another_senders_name_counts_where_the_senders_own_is_known(make, contents, count):
    assert judged(bearing(make().member(0, 1), *contents), "impersonated") == count


def test_where_all_senders_have_one_name_nobody_can_pass_for_another(make):
    run = bearing(bearing(make().member(0, 1), *[name(5)] * 3), *[name(5)] * 3, sender=2)
    assert judged(run, "impersonated") is None


def test_a_session_may_have_another_name_on_its_next_connection(make):
    run = bearing(make().member(0, 1), *[name(5)] * 2)
    for seq in (10, 11):
        run.row(Kind.PUBLISH, session=0, conn=1, seq=seq, room=0, due=3000 + seq, sent=3000 + seq, arrived=3002 + seq)
        run.row(Kind.DELIVERY, session=1, peer=0, seq=seq, room=0, code=name(6), arrived=3005 + seq)
    assert judged(run, "impersonated") == 0


def test_what_was_found_is_shown(make):
    report = bearing(make(contract={"delivers_to_sender": False}).member(0, 1), SAME | ours(0), LIKE | ours(2)).report()
    assert {finding["name"] for finding in report["findings"]} == {"altered", "impersonated"}
    assert report["contents"]["names"]["example"] == {"receiver": 1, "sender": 0, "seq": 2, "named": 2}
    assert report["contents"]["texts"]["first_s"] == report["contents"]["names"]["first_s"] == 2.007
    for text in (on_the_terminal(report), on_the_page(report)):
        assert "altered" in text and "impersonated" in text


def test_every_finding_here_is_silent_on_a_run_that_compared_nothing(clean):
    report = clean.report()
    assert report["finding_counts"]["altered"] is None
    assert report["finding_counts"]["impersonated"] is None
