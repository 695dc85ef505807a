"""How the terminal shows who got what, and who came back."""

from collections.abc import Iterator

from .. import words
from ..manifest import Json
from ..sections.contents import Contents
from ..sections.ledger import Ledger
from ..sections.recovery import Recovery
from ..sections.source import ManifestShown
from ..sections.storms import Storm
from ..sentences import recovered, rooms, storm
from .lines import Line, lines


@lines("ledger")
def ledger(ledger: Ledger, evidence: list[Json], manifest: ManifestShown) -> Iterator[Line]:
    """The books of unaffected and affected sessions."""
    for group, books in (("unaffected", ledger.unaffected), ("affected", ledger.affected)):
        if books.owed or books.duplicated or books.leaked:
            reordered = books.reordered if books.reordered is not None else "-"
            more = "".join(
                f", {count} {name}"
                for name, count in (
                    ("out of total order", books.out_of_total_order),
                    ("out of causal order", books.out_of_causal_order),
                )
                if count is not None
            )
            unrecognised = f"{books.unrecognised} not recognised, " if books.unrecognised else ""
            yield Line(
                f"ledger    {group}: {books.owed} deliveries owed, {books.paid} paid, {books.lost} lost, {unrecognised}"
                f"{books.duplicated} duplicated, {reordered} reordered{more}, {books.leaked} leaked"
            )
    if ledger.replayed:
        yield Line(f"history   {words.REPLAYED.format(count=ledger.replayed)}")
    if text := rooms(ledger, evidence, manifest):
        yield Line(f"rooms     {text}", "yellow")


@lines("contents")
def contents(contents: Contents) -> Iterator[Line]:
    """How many texts and names were compared."""
    texts, names = contents.texts, contents.names
    parts = []
    if texts.altered is not None:
        parts.append(f"{texts.altered} of {texts.compared} texts altered")
    if names.wrong is not None:
        parts.append(f"{names.wrong} of {names.compared} senders' names wrong")
    if parts:
        yield Line(f"contents  {', '.join(parts)}")


@lines("recovery")
def recovery(recovery: Recovery | None, ledger: Ledger) -> Iterator[Line]:
    """Lost connections, and what became of them."""
    if recovery is not None:
        yield Line(f"recovery  {recovered(recovery, ledger.missed_while_away)}")


@lines("storms")
def storms(storms: list[Storm]) -> Iterator[Line]:
    """One line for each mass drop."""
    for one in storms:
        yield Line(f"storm     {storm(one)}")
