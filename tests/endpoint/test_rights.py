"""Who may be and speak in which room."""

import pytest

from harness.endpoint.refusal import Refused
from harness.endpoint.rights import may_join, may_publish, room_of
from harness.endpoint.tokens import Identity

ANN = Identity("ann", "t1", frozenset({"member"}))
ROOT = Identity("root", "t1", frozenset({"member", "admin"}))
FEED = Identity("feed", "t1", frozenset({"member", "publisher"}))


@pytest.mark.parametrize(
    ("who", "room", "join", "publish"),
    [
        (ANN, "lobby", True, True),
        (ANN, "admin.ops", False, False),
        (ROOT, "admin.ops", True, True),
        (ANN, "private.ann", True, True),
        (ANN, "private.ann.notes", True, True),
        (ANN, "private.anna", False, False),
        (ANN, "private.bob", False, False),
        (ROOT, "private.bob", True, True),
        (ANN, "ticker.eur", True, False),
        (ROOT, "ticker.eur", True, False),
        (FEED, "ticker.eur", True, True),
        (FEED, "private.ann", False, False),
    ],
)
def test_a_room_s_name_and_the_roles_decide(who, room, join, publish):
    assert (may_join(who, room), may_publish(who, room)) == (join, publish)


def test_a_full_name_is_a_room_of_one_s_own_tenant_or_forbidden():
    assert room_of(ANN, "lobby") == "lobby" and room_of(ANN, "tenant:t1:lobby") == "lobby"
    for named in ("tenant:t2:lobby", "tenant:t1:", "tenant:t1", "tenant:", "tenant::lobby"):
        with pytest.raises(Refused) as caught:
            room_of(ANN, named)
        assert caught.value.code == 403


def test_another_tenant_s_room_is_forbidden_in_the_same_words_whether_it_exists_or_not(endpoint):
    with endpoint.client("ann", tenant="t1") as ann, endpoint.client("eve", tenant="t2") as eve:
        ann.ask("joinRoom", "j", "secret-plans")
        ann.send("sendMessage", "m", "secret-plans", text="x")
        ann.until("m")
        said = []
        for room in ("tenant:t1:secret-plans", "tenant:t1:nothing-here", "tenant:nobody:nothing-here"):
            for action, text in (("joinRoom", None), ("sendMessage", "x"), ("leaveRoom", None)):
                answer = eve.ask(action, "e", room, text=text)
                assert answer["roomId"] == room
                said.append(answer["payload"])
        assert said == [{"code": 403, "message": "forbidden"}] * 9
        ann.send("joinRoom", "j2", "tenant:t1:secret-plans")
        assert ann.until("j2")[-1]["action"] == "ack"


def test_a_ticker_is_heard_by_its_subscribers_until_they_unsubscribe_and_only_publishers_speak(endpoint):
    with (
        endpoint.client("feed", roles=["member", "publisher"]) as feed,
        endpoint.client("ann") as ann,
        endpoint.client("bob") as bob,
    ):
        for client in (ann, bob):
            assert client.ask("subscribeTicker", "s", "ticker.eur")["action"] == "ack"
        assert ann.ask("subscribeTicker", "s2", "lobby")["payload"]["code"] == 400
        assert ann.ask("sendMessage", "m0", "ticker.eur", text="9")["payload"]["code"] == 403
        assert feed.ask("sendMessage", "m1", "ticker.eur", text="1.07")["action"] == "ack"
        assert [client.get()["payload"]["text"] for client in (ann, bob)] == ["1.07", "1.07"]
        assert bob.ask("unsubscribeTicker", "u", "ticker.eur")["action"] == "ack"
        feed.ask("sendMessage", "m2", "ticker.eur", text="1.08")
        assert ann.get()["requestId"] == "m2" and bob.ask("ping", "p")["requestId"] == "p"
