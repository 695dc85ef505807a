"""The finding about frames that came and were not recognised."""

from ..registry import Verdict, finding, found
from ..sections.ledger import Ledger
from ..sections.rejections import Rejections
from ..sections.requests import Requests
from ..sections.strays import Strays


@finding(
    "not-recognised",
    section="strays",
    meaning="deliveries or answers are missing that may have come in frames that the plan does not recognise",
    sentence="{count} missing deliveries and answers may have come in frames that were not recognised{example}",
    rests_on="absence",
)
def not_recognised(
    ledger: Ledger, rejections: Rejections, requests: dict[str, dict[str, Requests]], strays: Strays
) -> Verdict:
    """Most often the plan describes the protocol not quite as it is."""
    asked = sum(one.judged for ways in requests.values() for one in ways.values())
    example = f"; first: {strays.examples[0]}" if strays.examples else ""
    return found(
        ledger.all.unrecognised + rejections.unrecognised,
        ledger.all.owed + asked,
        "deliveries owed and requests",
        example=example,
    )
