"""Finds and imports the module of a scenario: a shipped one by name, or a Python file of the user's."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from ..errors import PlanError
from ..plan.shipped import PLACES

SHIPPED = "squall_scenarios"
"""The import name of the shipped scenarios: not `scenarios`, which may be a folder of the user's."""


def shipped_scenarios() -> list[str]:
    """The names of the shipped scenarios, as plans spell them."""
    return sorted(file.stem.replace("_", "-") for file in _folder().glob("*.py") if file.stem != "__init__")


def import_shipped(name: str) -> ModuleType:
    """The module of a shipped scenario (`reconnect-storm` is in reconnect_storm.py).

    Raises:
        PlanError: there is none of that name.
    """
    known = shipped_scenarios()
    if name not in known:
        raise PlanError(f'load.scenario: there is no "{name}"; there are: {", ".join(known)}; or give a .py file')
    if SHIPPED not in sys.modules:
        _execute(SHIPPED, _folder() / "__init__.py", [str(_folder())])
    return importlib.import_module(f"{SHIPPED}.{name.replace('-', '_')}")


def import_file(name: str, beside: Path | None) -> ModuleType:
    """The module in a Python file, whose own folder it may import helper modules from.

    Args:
        name: the file's path, looked for in the folder `beside` first and then in the working directory.
        beside: the plan's folder; None where the plan is no file.

    Raises:
        PlanError: there is no such file.
    """
    near = beside / name if beside is not None else Path(name)
    path = near if near.is_file() else Path(name)
    if not path.is_file():
        raise PlanError(f'load.scenario: there is no file "{name}"')
    with _importable(path.resolve().parent):
        return _execute(f"squall_scenario_{path.stem}", path)


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Put a folder first on the path of imports; afterwards last, for imports that come later and must hide nothing."""
    place = str(folder)
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path.remove(place)
        if place not in sys.path:
            sys.path.append(place)


def _execute(name: str, path: Path, submodules: list[str] | None = None) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=submodules)
    assert spec is not None and spec.loader is not None  # both are there for a path that ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and the like look their module up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _folder() -> Path:
    return next(place / "scenarios" for place in PLACES if (place / "scenarios" / "__init__.py").is_file())
