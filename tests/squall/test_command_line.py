"""The command line's own behaviour: what it needs, what its help shows, and how it ends."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from harness.endpoint.command import serve
from harness.endpoint.options import GROUPS, TEXTS
from harness.endpoint.settings import Settings
from harness.plan.shipped import shipped
from squall.cli import squall
from squall.commands import COMMANDS

ROOT = Path(__file__).parents[2]
SHORT = 80


def call(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "squall", *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT
    )


def shown(*arguments):
    return CliRunner().invoke(squall, [*arguments, "--help"], terminal_width=100).output


def test_squall_alone_shows_its_help():
    done = call()
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: squall [OPTIONS] COMMAND")


def test_the_version_is_that_of_the_package():
    done = call("--version")
    assert (done.returncode, done.stdout.split()[-1]) == (0, "0.1.0")


@pytest.mark.parametrize("more", [(), ("--no-report",), ("--out", "somewhere"), ("--budget", "demo")])
def test_run_without_a_plan_names_the_shipped_ones_and_runs_nothing(more):
    done = call("run", *more)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert all(name in done.stderr for name in shipped("plans"))


@pytest.mark.parametrize(
    ("option", "key"),
    [("--url=http://a", "endpoint.url"), ("--sessions=-1", "load.sessions"), ("--set=load.rooms=-1", "load.rooms")],
)
def test_an_option_of_the_plan_is_plan_enough(option, key):
    done = call("run", option)
    assert done.returncode == 2 and key in done.stderr


def test_the_help_of_run_has_an_example_and_what_is_shipped():
    text = shown("run")
    assert "  squall run demo\n" in text
    assert all(name in text for kind in ("plans", "budgets") for name in shipped(kind))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_first_line_of_a_command_is_whole_in_the_list(command):
    line = command.get_short_help_str(limit=SHORT)
    assert line.endswith(".") and not line.endswith("...")
    assert f"{line}\n" in shown()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_option_has_a_help_text(command):
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []


def test_every_option_of_serve_is_in_one_group():
    named = [name for names in GROUPS.values() for name in names]
    assert sorted(named) == sorted(each.name for each in serve.params)
    assert len(named) == len(TEXTS)


def test_the_help_of_serve_shows_each_group_and_each_default():
    text = " ".join(shown("serve").split())
    assert all(f"{title}:" in text for title in GROUPS)
    assert f"[default: {Settings().max_message_bytes}]" in text
    assert all(each.opts[0] in text for each in serve.params)
