"""Generated texts: exactly as long as the plan says, with letters of every length, and different between messages."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.record.row import Content
from harness.wire.texts import ABSENT, BEYOND, FEWEST, MOST, MOST_BYTES, Texts

SIZES = [1, 2, 3, 4, 5, 8, 11, 12, 27, 28, 29, 100, 200, 1000, 16384, 16385, 100_000]


def every(texts):
    return {texts.of(0, seq) for seq in range(MOST)}


@pytest.mark.parametrize("size", SIZES)
def test_a_text_has_exactly_as_many_bytes_as_the_plan_says(size):
    assert {len(text.encode()) for text in every(Texts(7, size))} == {size}


@pytest.mark.parametrize("size", [size for size in SIZES if size >= 28])
def test_a_text_has_letters_of_one_to_four_bytes(size):
    for text in every(Texts(7, size)):
        assert {len(letter.encode()) for letter in text} == {1, 2, 3, 4}


@pytest.mark.parametrize("size", [2, 3, 4])
def test_even_a_short_text_goes_beyond_ascii(size):
    assert all(text in BEYOND[size - 2] for text in every(Texts(7, size)))


@given(st.integers(1, 3000), st.integers(0, 100))
def test_trimming_and_collapsing_spaces_changes_no_text(size, seed):
    for text in every(Texts(seed, size)):
        assert text == " ".join(text.split())


@pytest.mark.parametrize("size", [28, 100, 100_000])
def test_texts_differ_between_messages_that_follow_each_other(size):
    texts = Texts(7, size)
    count = len(every(texts))
    assert FEWEST <= count <= MOST and (count == FEWEST or count * size <= MOST_BYTES)
    for session, seq in ((0, 1), (3, 7), (99, 1000)):
        assert texts.of(session, seq) != texts.of(session, seq + 1)
        assert texts.of(session, seq) != texts.of(session + 1, seq)


def test_every_process_knows_the_same_texts_and_another_seed_has_others():
    assert Texts(7, 100).of(3, 9) == Texts(7, 100).of(3, 9)
    assert Texts(7, 100).of(3, 9) != Texts(8, 100).of(3, 9)


LIKE, UNLIKE = Content.COMPARED | Content.ALTERED, Content.COMPARED | Content.UNLIKE


@pytest.mark.parametrize(
    ("change", "content"),
    [
        (lambda text: text, Content.COMPARED),
        (lambda text: text[:-1], LIKE),
        (lambda text: text[:1], LIKE),
        (lambda text: text + "x", LIKE),
        (lambda text: text.encode("ascii", "replace").decode(), LIKE),
        (lambda text: text.encode().decode("latin-1"), LIKE),
        (lambda text: f"<p>{text}</p>", LIKE),
        (lambda text: Texts(7, 100).of(0, 2), LIKE),
        (lambda text: "", UNLIKE),
        (lambda text: text[::-1], UNLIKE),
        (lambda text: "hello", UNLIKE),
        (lambda text: ABSENT, LIKE | UNLIKE),
        (lambda text: "\0" + "absent", UNLIKE),
    ],
)
def test_what_arrives_is_told_apart(change, content):
    texts = Texts(7, 100)
    assert (
        texts.compare(0, 1, "".join(list(change(texts.of(0, 1)))) if change("x") is not ABSENT else ABSENT) == content
    )


@given(st.integers(0, 2**27 - 1), st.integers(0, 2**36 - 1))
def test_any_message_has_a_text(session, seq):
    assert Texts(7, 28).compare(session, seq, Texts(7, 28).of(session, seq)) == Content.COMPARED


def test_a_broken_letter_is_noticed_wherever_it_is():
    texts, chance = Texts(7, 200), random.Random(1)
    text = texts.of(2, 2)
    for _ in range(50):
        at = chance.randrange(len(text))
        broken = text[:at] + "?" + text[at + 1 :]
        assert texts.compare(2, 2, broken) == LIKE or at < 7
