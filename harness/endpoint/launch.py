"""The command line that starts the reference endpoint in a process of its own.

`python -m harness.endpoint` would do, if no user's folder called `harness` came first on PYTHONPATH.
"""

import sys
from pathlib import Path

_START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); import harness; del sys.path[0]; "
    "from harness.endpoint.__main__ import main; main()"
)


def command(*arguments: str) -> list[str]:
    """The command line that runs *this* endpoint with these arguments, whatever else is importable."""
    return [sys.executable, "-P", "-c", _START, str(Path(__file__).resolve().parents[2]), *arguments]
