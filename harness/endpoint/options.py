"""The options of `squall serve`, in groups: one for each setting, whose default it shows."""

from collections.abc import Callable
from typing import Any

import click

from .settings import LOG_LEVELS, POLICIES, Settings

GROUPS: dict[str, dict[str, str]] = {
    "Listening": {
        "host": "Address to listen on.",
        "port": "Port; 0: any free one.",
        "processes": "Processes that share the port; more than one need a Redis store.",
    },
    "Rate limits (0: no limit)": {
        "throttle_per_s": "Sustained message rate per connection.",
        "throttle_burst": "Burst size per connection.",
        "tenant_per_s": "Sustained message rate per tenant.",
        "tenant_burst": "Burst size per tenant.",
        "endpoint_per_s": "Sustained rate of messages and pushes of the whole endpoint.",
        "endpoint_burst": "Burst size of the whole endpoint.",
        "connects_per_s": "New connections per second and process.",
        "connects_burst": "Burst size of new connections.",
        "max_violations": "Close with 1008 at the n-th throttled or malformed message; 0: never.",
    },
    "Sizes": {
        "max_message_bytes": "Close with 1009 when a message is larger; 0: no limit.",
        "max_frame_bytes": "Close with 1009 when a frame is larger; 0: no limit.",
        "unsent_bytes": "Bytes that may be queued for a client that reads too slowly.",
        "slow_consumer": "What to do when the queue is full.",
    },
    "Dead and idle connections (0: off)": {
        "ping_interval_s": "Seconds between pings.",
        "ping_timeout_s": "Seconds to wait for a pong.",
        "idle_timeout_s": "Close with 1001 after this many seconds without a message.",
        "max_lifetime_s": "Close with 1001 after this many seconds.",
        "tcp_keepalive_s": "Probe an idle peer by TCP after this many seconds.",
        "tcp_user_timeout_s": "Drop a peer that leaves data unacknowledged for this many seconds; 0: kernel default.",
        "ttl_s": "Remove a connection from the list after this many seconds without a sign of life.",
    },
    "Routing and authorisation": {
        "route_selection": "Expression that selects the route key of a message.",
        "route": "Map a route key to an action; repeatable. Default: each action is its own key.",
        "no_default_route": "Refuse messages that match no route, as a gateway does.",
        "require_feature": "Allow an action only to tokens with this feature flag; repeatable.",
        "authorizer": "Function that authorises connections in place of the JWT check.",
        "enricher": "Function that is called with every delivered message.",
    },
    "State": {
        "store": "Where state is kept: :memory:, a SQLite file, or redis://HOST:PORT/DB.",
        "store_grace_s": "Seconds the store may be unreachable before clients are closed with 1013.",
        "history": "Messages kept per room.",
        "shards": "Queues that accepted messages are spread over, by room.",
        "queue": "Capacity of each queue, in messages.",
    },
    "Tokens": {
        "secret_file": "File with the secret that tokens are signed with. Default: SQUALL_JWT_SECRET, or a new secret.",
        "public_key": "PEM file to check tokens with, in place of a secret.",
    },
    "Defects": {
        "defects": "Do this wrong on purpose; repeatable.",
        "list_defects": "List the defects and exit.",
        "seed": "Seed for defects that happen by chance.",
    },
    "Process": {
        "log_level": "Least severe level that is logged to stderr.",
        "exit_with_parent": "Stop when the process that started this one ends.",
    },
}
"""Every option by its parameter name, with its help text, under the title of its group."""

METAVARS = {
    "slow_consumer": "|".join(POLICIES),
    "route": "KEY=ACTION",
    "require_feature": "ACTION=FEATURE",
    "authorizer": "MODULE:FUNCTION",
    "enricher": "MODULE:FUNCTION",
    "log_level": "|".join(LOG_LEVELS),
}
TEXTS = {name: text for group in GROUPS.values() for name, text in group.items()}

_DEFAULT = Settings()

Command = Callable[..., Any]


class GroupedCommand(click.Command):
    """A command whose help shows its options under the titles of `GROUPS`."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group, and one for the options without a group."""
        records = {each.name: record for each in self.get_params(ctx) if (record := each.get_help_record(ctx))}
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([records.pop(name) for name in names])
        with formatter.section("Help"):
            formatter.write_dl(list(records.values()))


def all_settings(command: Command) -> Command:
    """Add every setting of the endpoint as an option."""
    for name in reversed(TEXTS):
        if name in Settings.__dataclass_fields__:
            command = _setting(name)(command)
    return command


def _setting(name: str) -> Callable[[Command], Command]:
    default = getattr(_DEFAULT, name)
    more: dict[str, Any] = {"show_default": default != "", "type": type(default)}
    if isinstance(default, bool):
        more = {"is_flag": True}
    elif isinstance(default, tuple):
        more = {"multiple": True}
    return click.option("--" + name.replace("_", "-"), name, default=default, help=TEXTS[name],
                        metavar=METAVARS.get(name), **more)  # fmt: skip
