"""`squall schema`: print the JSON Schema of a file that Squall reads or writes."""

import click

from ..terminal import console
from .registry import command

NAMES = ("report", "plan", "budget", "contract")


@command()
@click.argument("name", type=click.Choice(NAMES))
def schema(name: str) -> None:
    """Print a JSON Schema.

    It describes report.json, a plan, a budget, or a [contract] table, for editors and for programs that read or write
    them. (TOML files have the same structure as JSON.)
    """
    import msgspec

    from ..reporting import schemas

    text = msgspec.json.format(msgspec.json.encode(schemas.schema(name)), indent=2).decode()
    console().out(text, highlight=False)
