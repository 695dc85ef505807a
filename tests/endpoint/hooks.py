"""Functions of a user's own, as the options --authorizer and --enricher load them."""

import time


def authorize(handshake):
    """Let in by the token's word; other words are other ways of going wrong."""
    if handshake.token == "hang":
        time.sleep(60)
    if handshake.token == "crash":
        raise RuntimeError("it broke")
    if handshake.token == "forbid":
        raise PermissionError("not you")
    if handshake.token == "nonsense":
        return {"sub": 7}
    if handshake.token.startswith("user:"):
        agent = handshake.headers.get("user-agent", "")
        return {"sub": handshake.token[5:], "tenant": handshake.query.get("tenant", agent), "roles": ["member"]}
    return None


async def enrich(event):
    """Count words; fail on one."""
    if "fail" in event.text:
        raise ValueError(event.text)
    return {"words": len(event.text.split())}


NOT_A_FUNCTION = 7
