"""The finding about tokens that have expired."""

from .. import words
from ..registry import NotJudged, Verdict, finding, found
from ..rows import Rows
from ..sections.tokens import Tokens


@finding(
    "outlived-token",
    section="tokens",
    meaning="a connection was still served after its token had expired",
    sentence="{count} connections were served after their token had expired ({served} deliveries and answers)",
)
def outlived_token(rows: Rows, tokens: Tokens | None) -> Verdict:
    """Later than the grace that the contract gives."""
    if rows.contract.may_outlive_token:
        return NotJudged(words.MAY_OUTLIVE)
    if tokens is None:
        return NotJudged(words.NO_EXPIRY)
    if not tokens.expired:
        return NotJudged(words.NOTHING_EXPIRED)
    return found(
        tokens.outlived,
        tokens.expired,
        "connections whose token expired",
        first_s=tokens.first_s,
        served=tokens.served,
    )
