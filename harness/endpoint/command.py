"""The commands `serve` and `token`.

The squall command line imports this module while gevent has patched the process, so everything heavy is imported
inside the functions. The subtle thing: uvloop does not live in a patched process, so `serve` then replaces the
process by a fresh one with the same options.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .settings import LOG_LEVELS, POLICIES, Settings

_DEFAULT = Settings()

Command = Callable[..., Any]


def _list_defects(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from .defects import REGISTRY

    for name, defect in sorted(REGISTRY.items()):
        click.echo(f"{name + (f'={defect.default:g}' if defect.default is not None else ''):28} {defect.summary}")
    context.exit()


def setting(name: str, text: str, **more: Any) -> Callable[[Command], Command]:
    """An option whose default is the setting's."""
    default = getattr(_DEFAULT, name)
    if isinstance(default, bool):
        more |= {"is_flag": True}
    elif isinstance(default, tuple):
        more |= {"multiple": True}
    else:
        more |= {"show_default": True, "type": type(default)}
    return click.option("--" + name.replace("_", "-"), name, default=default, help=text, **more)


_SETTINGS = [
    setting("host", "Address to listen on."),
    setting("port", "Port; 0 is any free one."),
    setting("processes", "Processes that serve one port together; more than 1 need a Redis."),
    setting("throttle_per_s", "Messages a second of one connection ..."),
    setting("throttle_burst", "... and at once."),
    setting("tenant_per_s", "Messages a second of one tenant; 0: no limit ..."),
    setting("tenant_burst", "... and at once."),
    setting("endpoint_per_s", "Messages and pushes a second of the whole endpoint; 0: no limit ..."),
    setting("endpoint_burst", "... and at once."),
    setting("connects_per_s", "New connections a second, each process; 0: no limit ..."),
    setting("connects_burst", "... and at once."),
    setting("max_violations", "Close with 1008 at the n-th message over a limit or malformed; 0: never."),
    setting("max_message_bytes", "A bigger message: 1009; 0: no limit."),
    setting("max_frame_bytes", "A bigger single frame: 1009; 0: no limit."),
    setting("unsent_bytes", "What may wait for a client that reads too slowly ..."),
    setting("slow_consumer", "... and what happens beyond that.", metavar="|".join(POLICIES)),
    setting("ping_interval_s", "0: no pings."),
    setting("ping_timeout_s", "How long a pong may take."),
    setting("idle_timeout_s", "No message for so long: 1001; 0: no limit."),
    setting("max_lifetime_s", "Connected for so long: 1001; 0: no limit."),
    setting("tcp_keepalive_s", "TCP probes an idle peer after so long; 0: never."),
    setting("tcp_user_timeout_s", "TCP gives up a peer that acknowledges nothing for so long; 0: its own patience."),
    setting("ttl_s", "No sign of life for so long: swept; 0: never."),
    setting("route_selection", "The gateway's route selection expression."),
    setting("route", "A route key and the action behind it; repeatable; else each action is its own key.",
            metavar="KEY=ACTION"),
    setting("no_default_route", "Have the gateway itself refuse what matches no route."),
    setting("require_feature", "Only for tokens with this feature flag; repeatable.", metavar="ACTION=FEATURE"),
    setting("authorizer", "A function that authorises instead of the JWT check.", metavar="MODULE:FUNCTION"),
    setting(
        "enricher",
        "A function that looks at every message after it was delivered.",
        metavar="MODULE:FUNCTION",
    ),
    setting("store", "State: :memory:, a SQLite file, or redis://HOST:PORT/DB."),
    setting("store_grace_s", "How long the store may be away before clients are closed with 1013."),
    setting("history", "Messages of a room that are kept."),
    setting("shards", "Queues of accepted messages, by room."),
    setting("queue", "Messages that one of them holds."),
    setting("log_level", "What goes to stderr.", metavar="|".join(LOG_LEVELS)),
    setting("seed", "Seed of the defects' chance."),
]  # fmt: skip


def all_settings(command: Command) -> Command:
    """Every setting as an option."""
    for option in reversed(_SETTINGS):
        command = option(command)
    return command


@click.command()
@all_settings
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path),
    help="File with the secret of tokens, unless SQUALL_JWT_SECRET is set; without either one is made.",
)
@click.option(
    "--public-key", type=click.Path(path_type=Path), help="PEM file that tokens are checked with, instead of a secret."
)
@click.option("--defect", "defects", multiple=True, metavar="NAME[=VALUE]", help="Be wrong in this way; repeatable.")
@click.option("--defects", "list_defects", is_flag=True, is_eager=True, expose_value=False, callback=_list_defects,
              help="List the defects and exit.")  # fmt: skip
@click.option("--exit-with-parent", is_flag=True, help="Stop when the process that started this one ends.")
def serve(**given: Any) -> None:
    """Serve the reference endpoint until SIGTERM or Ctrl-C; its url is the first line of output."""
    names = {field.name for field in fields(Settings)}
    settings = Settings(**{name: value for name, value in given.items() if name in names})
    if _is_patched():
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-P", "-m", "harness.endpoint", "serve", *_spelt(given)])
    from .defects import chosen
    from .process import serve_until_stopped

    serve_until_stopped(
        settings, chosen(given["defects"]), given["secret_file"], given["public_key"], given["exit_with_parent"]
    )


def _spelt(given: dict[str, Any]) -> list[str]:
    """Parsed options as a command line again."""
    arguments = []
    for name, value in given.items():
        option = "--" + name.removesuffix("s" if name == "defects" else "").replace("_", "-")
        if value is True:
            arguments.append(option)
        elif value is not None and value is not False:
            for one in value if isinstance(value, tuple) else (value,):
                arguments += [option, str(one)]
    return arguments


def _is_patched() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))


@click.command()
@click.option("--user", default="user", show_default=True, help="Who the token speaks for (sub).")
@click.option("--tenant", default="t1", show_default=True)
@click.option("--role", "roles", multiple=True, default=("member",), show_default=True,
              help="Repeatable: member, publisher, admin.")  # fmt: skip
@click.option("--feature", "features", multiple=True, help="A feature flag that is on; repeatable.")
@click.option("--ttl-s", default=3600.0, show_default=True, help="Seconds of validity; negative: expired already.")
@click.option("--secret-file", type=click.Path(path_type=Path), help="As for serve; SQUALL_JWT_SECRET comes first.")
def token(
    user: str, tenant: str, roles: tuple[str, ...], features: tuple[str, ...], ttl_s: float, secret_file: Path | None
) -> None:
    """Print a token for the reference endpoint."""
    from .tokens import find_secret, issue

    secret = find_secret(secret_file)
    if secret is None:
        raise UsageError("no secret: set SQUALL_JWT_SECRET or give --secret-file (squall serve prints its name)")
    click.echo(issue(secret, user, tenant=tenant, roles=roles, features=features, ttl_s=ttl_s))
