from harness.model import Kind
from harness.receipts import Receipt, Receipts


def receipt(seq, expires=10):
    return Receipt(Kind.PUBLISH, seq, 0, 0, expires)


def test_a_receipt_leaves_exactly_once():
    receipts = Receipts()
    one = receipt(1)
    receipts.add(one)
    assert receipts.match(1) is one
    assert receipts.match(1) is None
    assert receipts.take_all() == []


def test_answers_match_in_any_order():
    receipts = Receipts()
    for seq in (1, 2, 3):
        receipts.add(receipt(seq))
    assert [receipts.match(seq).seq for seq in (3, 1, 2)] == [3, 1, 2]


def test_only_what_is_due_expires_oldest_first():
    receipts = Receipts()
    for seq, expires in ((1, 5), (2, 6), (3, 20)):
        receipts.add(receipt(seq, expires))
    assert [gone.seq for gone in receipts.expired(10)] == [1, 2]
    assert len(receipts) == 1


def test_a_callback_may_add_while_others_expire():
    receipts = Receipts()
    receipts.add(receipt(1, 5))
    for _ in receipts.expired(10):
        if len(receipts) == 0:
            receipts.add(receipt(2, 30))
    assert receipts.match(2) is not None
