"""The hook off the live path, and what it fails on."""

import asyncio
import json

from harness.endpoint.redis_store import RedisStore
from tests.waiting import until


def test_what_the_function_finds_is_kept_and_what_it_fails_on_is_a_dead_letter_that_was_delivered(serving, redis):
    address = redis.fresh()
    with serving("--store", address, "--enricher", "tests.endpoint.hooks:enrich") as endpoint:
        with endpoint.client() as ann:
            ann.ask("joinRoom", "j")
            for number, text in enumerate(("two words", "fail here", "three more words")):
                ann.send("sendMessage", f"m{number}", text=text)
                ann.until(f"m{number}")
        letters = until(lambda: endpoint.call("GET", "/dead-letters", token=endpoint.admin())[1]["deadLetters"])
        assert [(letter["requestId"], letter["reason"]) for letter in letters] == [("m1", "enrichment: ValueError")]
        history = endpoint.call("GET", "/rooms/r1/messages?after=0", token=endpoint.token())[1]["messages"]
        assert [message["requestId"] for message in history] == ["m0", "m1", "m2"]
        found = asyncio.run(enriched(address, 3))
        assert found == [{"words": 2}, None, {"words": 3}]
        status, _ = endpoint.call("POST", f"/dead-letters/{letters[0]['id']}/replay", token=endpoint.admin())
        assert status == 204
        again = endpoint.call("GET", "/rooms/r1/messages?after=0", token=endpoint.token())[1]["messages"]
        assert again == history  # only enriched once more, not said again


async def enriched(address, count):
    store = RedisStore(address, 100, "looking")
    try:
        while await store.enriched("t1", "r1", count) is None:  # nothing waits for it, so this does
            await asyncio.sleep(0.02)
        kept = [await store.enriched("t1", "r1", seq) for seq in range(1, count + 1)]
    finally:
        await store.close()
    return [json.loads(each) if each is not None else None for each in kept]
