"""`[contract]`: what the endpoint promises."""

from typing import Literal

import msgspec

from ..errors import PlanError
from .codes import Code, check_code
from .section import Count, NotNegative, Positive, Section

Order = Literal["none", "sender", "room", "causal"]


class Contract(Section, frozen=True, kw_only=True):
    """What the endpoint promises; the judgement of rejections, stale connections and the ledger rests on it.

    A promise that is absent (None) is not judged. `throttle_scope` says who shares a token bucket: each connection has
    one, or each session keeps one over its reconnects, or all sessions share the endpoint's. `throttle_posts` says that
    posts by REST count, too: against the session's bucket, or the endpoint's. `schemas` maps `publish` (a frame) and
    `post` (the body of one by REST) to JSON Schema files, looked up beside the plan and then among the shipped ones.

    `lifetime_s` and `idle_s` are limits after which the endpoint may close a connection, with one of `limit_codes`;
    with one of `expected_closes` it may at any time. `throttle_codes` and `malformed_codes` are codes of errors (0: no
    code) and of closes: a close with one of them is a refusal (1005: no code; 1006: no close frame).
    `grows_mib_per_h` is how much its memory may grow.

    A connection ends `token_grace_s` after its token's expiry at the latest, unless it `may_outlive_token`, as with
    endpoints that check the token only when a client connects.

    `order` is "sender" unless given. `ordered` is its older name, read and not kept: true is "sender", false is "none".
    """

    throttle_per_s: Positive | None = None
    throttle_burst: Count | None = None
    throttle_scope: Literal["connection", "session", "endpoint"] = "connection"
    throttle_posts: bool = False
    throttle_codes: tuple[Code, ...] = (429,)
    malformed_codes: tuple[Code, ...] | None = None
    stale_within_s: Positive | None = None
    lifetime_s: Positive | None = None
    idle_s: Positive | None = None
    limit_codes: tuple[int, ...] = (1001,)
    expected_closes: tuple[int, ...] = ()
    grows_mib_per_h: NotNegative | None = None
    may_outlive_token: bool = False
    token_grace_s: Positive = 2.0
    delivers_to_sender: bool = True
    order: Order | None = None
    ordered: bool | None = None
    schemas: dict[Literal["publish", "post"], str] = {}

    def __post_init__(self) -> None:
        if (self.throttle_per_s is None) != (self.throttle_burst is None):
            raise PlanError("contract: throttle_per_s and throttle_burst go together; give both or neither")
        for refusal in self.throttle_codes:
            check_code("contract.throttle_codes", refusal)
        for refusal in self.malformed_codes or ():
            check_code("contract.malformed_codes", refusal)
        for code in (*self.limit_codes, *self.expected_closes):
            if not 1000 <= code < 5000:
                raise PlanError(f"contract: {code} is not a close code (1000 to 4999)")
        if self.ordered is not None:
            if self.order is not None:
                raise PlanError("contract: ordered is the older name of order; give order alone")
            msgspec.structs.force_setattr(self, "order", "sender" if self.ordered else "none")
            msgspec.structs.force_setattr(self, "ordered", None)
        elif self.order is None:
            msgspec.structs.force_setattr(self, "order", "sender")
