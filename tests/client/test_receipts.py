from harness.client.receipts import Receipt, Receipts
from harness.record.row import Kind


def receipt(seq, expires=10):
    return Receipt(Kind.PUBLISH, seq, 0, 0, expires)


def test_a_receipt_leaves_exactly_once():
    receipts = Receipts()
    one = receipt(1)
    receipts[1] = one
    assert receipts.pop(1, None) is one
    assert receipts.pop(1, None) is None
    assert receipts.take_all() == []


def test_answers_match_in_any_order():
    receipts = Receipts()
    for seq in (1, 2, 3):
        receipts[seq] = receipt(seq)
    assert [receipts.pop(seq, None).seq for seq in (3, 1, 2)] == [3, 1, 2]


def test_only_what_is_due_expires_oldest_first():
    receipts = Receipts()
    for seq, expires in ((1, 5), (2, 6), (3, 20)):
        receipts[seq] = receipt(seq, expires)
    assert [gone.seq for gone in receipts.expired(10)] == [1, 2]
    assert len(receipts) == 1


def test_a_callback_may_add_while_others_expire():
    receipts = Receipts()
    receipts[1] = receipt(1, 5)
    for _ in receipts.expired(10):
        if len(receipts) == 0:
            receipts[2] = receipt(2, 30)
    assert receipts.pop(2, None) is not None
