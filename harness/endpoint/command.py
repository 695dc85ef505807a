"""The commands `serve` and `token`.

`squall --help` imports this module, so everything heavy is imported inside the functions. uvloop does not work in a
process that gevent has patched, so there `serve` replaces the process by a fresh one with the same options.
"""

import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from . import launch
from .options import TEXTS, GroupedCommand, all_settings
from .settings import Settings


def _list_defects(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from .defects import REGISTRY

    for name, defect in sorted(REGISTRY.items()):
        click.echo(f"{name + (f'={defect.default:g}' if defect.default is not None else ''):28} {defect.summary}")
    context.exit()


@click.command(cls=GroupedCommand, epilog="Defects and examples: docs/serve.md, docs/defects.md.")
@all_settings
@click.option("--secret-file", type=click.Path(path_type=Path), help=TEXTS["secret_file"])
@click.option("--public-key", type=click.Path(path_type=Path), help=TEXTS["public_key"])
@click.option("--defect", "defects", multiple=True, metavar="NAME[=VALUE]", help=TEXTS["defects"])
@click.option("--defects", "list_defects", is_flag=True, is_eager=True, expose_value=False, callback=_list_defects,
              help=TEXTS["list_defects"])  # fmt: skip
@click.option("--exit-with-parent", is_flag=True, help=TEXTS["exit_with_parent"])
def serve(**given: Any) -> None:
    """Serve the reference endpoint.

    Prints its url as the first line of output and runs until SIGTERM or Ctrl-C.
    """
    names = {field.name for field in fields(Settings)}
    settings = Settings(**{name: value for name, value in given.items() if name in names})
    if _is_patched():
        sys.stdout.flush()
        os.execv(sys.executable, launch.command("serve", *_spelt(given)))
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
@click.option("--user", default="user", show_default=True, help="User that the token is for (sub).")
@click.option("--tenant", default="t1", show_default=True, help="Tenant of the user.")
@click.option("--role", "roles", multiple=True, default=("member",), show_default=True,
              help="Role: member, publisher or admin; repeatable.")  # fmt: skip
@click.option("--feature", "features", multiple=True, help="Feature flag to switch on; repeatable.")
@click.option("--ttl-s", default=3600.0, show_default=True, help="Seconds of validity; negative: already expired.")
@click.option(
    "--secret-file", type=click.Path(path_type=Path), help="File with the secret, unless SQUALL_JWT_SECRET is set."
)
def token(
    user: str, tenant: str, roles: tuple[str, ...], features: tuple[str, ...], ttl_s: float, secret_file: Path | None
) -> None:
    """Print a token for the reference endpoint."""
    from .tokens import find_secret, issue

    secret = find_secret(secret_file)
    if secret is None:
        raise UsageError("no secret: set SQUALL_JWT_SECRET or give --secret-file (squall serve prints its name)")
    click.echo(issue(secret, user, tenant=tenant, roles=roles, features=features, ttl_s=ttl_s))
