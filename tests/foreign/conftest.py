"""The foreign server as a fixture: one for all tests of a session."""

from collections.abc import Iterator

import pytest

from tests.foreign.serving import ForeignServer, Unavailable, foreign_server


@pytest.fixture(scope="session")
def foreign() -> Iterator[ForeignServer]:
    try:
        context = foreign_server()
        server = context.__enter__()
    except Unavailable as why:
        pytest.skip(f"the foreign server cannot be had: {why}")
    try:
        yield server
    finally:
        context.__exit__(None, None, None)
