"""`python -m harness.endpoint serve`: the endpoint's own command line, in a process that gevent never touched."""

import sys

import click

from ..errors import SquallError
from .command import serve, token


@click.group()
def endpoint() -> None:
    """The reference endpoint, a practice target for real-time load tests."""


endpoint.add_command(serve)
endpoint.add_command(token)


def main() -> None:
    """Run the command line; an expected failure is one line on stderr."""
    try:
        endpoint(prog_name="python -m harness.endpoint")
    except SquallError as error:
        print(f"squall: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
