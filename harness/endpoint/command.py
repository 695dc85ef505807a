"""The commands `serve` and `token`.

The squall command line imports this module while gevent has patched the process, so everything heavy is imported
inside the functions. The subtle thing: uvloop does not live in a patched process, so `serve` then replaces the
process by a fresh one with the same options.
"""

import os
import sys
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .settings import Settings

_DEFAULT = Settings()


def _list_defects(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from . import wrongs
    from .defects import REGISTRY

    assert wrongs
    for name, defect in sorted(REGISTRY.items()):
        click.echo(f"{name + (f'={defect.default:g}' if defect.default is not None else ''):28} {defect.summary}")
    context.exit()


@click.command()
@click.option("--host", default=_DEFAULT.host, show_default=True, help="Address to listen on.")
@click.option("--port", default=_DEFAULT.port, show_default=True, help="Port; 0 is any free one.")
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path),
    help="File with the secret of tokens, unless SQUALL_JWT_SECRET is set; without either one is made.",
)
@click.option("--throttle-per-s", default=_DEFAULT.throttle_per_s, show_default=True, help="Messages a second ...")
@click.option("--throttle-burst", default=_DEFAULT.throttle_burst, show_default=True, help="... and at once.")
@click.option("--ping-interval-s", default=_DEFAULT.ping_interval_s, show_default=True, help="0: no pings.")
@click.option("--ping-timeout-s", default=_DEFAULT.ping_timeout_s, show_default=True, help="How long a pong may take.")
@click.option(
    "--idle-timeout-s", default=_DEFAULT.idle_timeout_s, show_default=True, help="No message for so long: 1001."
)
@click.option("--max-lifetime-s", default=_DEFAULT.max_lifetime_s, show_default=True, help="0: no limit.")
@click.option(
    "--store",
    default=_DEFAULT.store,
    show_default=True,
    help="SQLite file of connections, rooms, history and dead letters.",
)
@click.option("--history", default=_DEFAULT.history, show_default=True, help="Messages of a room that are kept.")
@click.option(
    "--ttl-s", default=_DEFAULT.ttl_s, show_default=True, help="How long a stored connection counts; 0: for ever."
)
@click.option("--shards", default=_DEFAULT.shards, show_default=True, help="Queues of accepted messages, by room.")
@click.option("--queue", default=_DEFAULT.queue, show_default=True, help="Messages that one of them holds.")
@click.option("--seed", default=_DEFAULT.seed, show_default=True, help="Seed of the defects' chance.")
@click.option("--defect", "defects", multiple=True, metavar="NAME[=VALUE]", help="Be wrong in this way; repeatable.")
@click.option("--defects", "list_defects", is_flag=True, is_eager=True, expose_value=False, callback=_list_defects,
              help="List the defects and exit.")  # fmt: skip
@click.option("--exit-with-parent", is_flag=True, help="Stop when the process that started this one ends.")
def serve(secret_file: Path | None, defects: tuple[str, ...], exit_with_parent: bool, **options: Any) -> None:
    """Serve the reference endpoint until SIGTERM or Ctrl-C; its url is the first line of output."""
    settings = Settings(**options)
    if _is_patched():
        arguments = [value for name, given in options.items() for value in ("--" + name.replace("_", "-"), str(given))]
        arguments += [value for text in defects for value in ("--defect", text)]
        arguments += ["--secret-file", str(secret_file)] if secret_file else []
        arguments += ["--exit-with-parent"] if exit_with_parent else []
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", "harness.endpoint", "serve", *arguments])
    from .defects import chosen
    from .process import serve_until_stopped

    serve_until_stopped(settings, chosen(defects), secret_file, exit_with_parent)


def _is_patched() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))


@click.command()
@click.option("--user", default="user", show_default=True, help="Who the token speaks for (sub).")
@click.option("--tenant", default="t1", show_default=True)
@click.option(
    "--role", "roles", multiple=True, default=("member",), show_default=True, help="Repeatable: member, admin."
)
@click.option("--ttl-s", default=3600.0, show_default=True, help="Seconds of validity; negative: expired already.")
@click.option("--secret-file", type=click.Path(path_type=Path), help="As for serve; SQUALL_JWT_SECRET comes first.")
def token(user: str, tenant: str, roles: tuple[str, ...], ttl_s: float, secret_file: Path | None) -> None:
    """Print a token for the reference endpoint."""
    from .tokens import find_secret, issue

    secret = find_secret(secret_file)
    if secret is None:
        raise UsageError("no secret: set SQUALL_JWT_SECRET or give --secret-file (squall serve prints its name)")
    click.echo(issue(secret, user, tenant=tenant, roles=roles, ttl_s=ttl_s))
