"""A message that a scenario sent without a due time: no send delay, and its response counts from when it was sent."""

from harness.record.row import Flag, Kind


def test_an_unplanned_message_has_a_response_and_a_delivery_since_it_was_sent_and_no_send_delay(make):
    run = make().member(0, 1)
    for seq, at in enumerate((2000, 3000), 1):  # the second was due 40 ms before it was sent
        due = at - 40 if seq == 2 else 0
        run.row(Kind.PUBLISH, session=0, seq=seq, room=0, due=due, sent=at, arrived=at + 5, flags=Flag.EXACT)
        run.deliver(1, 0, seq, at + 7)
    figures = {name: found["unaffected"] for name, found in run.report()["figures"].items()}
    assert (figures["lag"]["count"], figures["lag"]["max"]) == (1, 40.0)
    assert (figures["response"]["count"], figures["response"]["p50"], figures["response"]["max"]) == (2, 5.0, 45.0)
    assert (figures["delivery"]["count"], figures["delivery"]["p50"], figures["delivery"]["max"]) == (2, 7.0, 47.0)
