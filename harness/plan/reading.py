"""Reading a plan: TOML, overrides from the command line, and errors that name the key and the nearest valid one.

The table of an unknown key is found by walking the structs' own annotations, so a new key or section is suggested
without being listed twice.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from ..errors import PlanError, did_you_mean
from ..paths import walk
from .chaos import Act
from .fault_registry import choose
from .masking import mask_all, mask_url
from .whole import Plan

T = TypeVar("T")

MOVED = {"load.backoff_first_s": "reconnect.first_s", "load.backoff_cap_s": "reconnect.cap_s"}
"""Keys of earlier versions and where they stand now."""


def load_plan(path: Path | None, overrides: Iterable[tuple[str, Any]] = ()) -> Plan:
    """Read a plan file (None: all defaults) and lay `overrides` (dotted key, value) over it.

    Raises:
        PlanError: the file cannot be read or is not TOML, a key is unknown (with the nearest right one), or a
            value is of the wrong type or out of range.
    """
    data: dict[str, Any] = {}
    if path is not None:
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise PlanError(f"cannot read the plan {path}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PlanError(f"{path} is not TOML: {error}") from error
    for key, value in overrides:
        _set(data, key, value)
    try:
        return build_plan(data)
    except PlanError as error:
        raise PlanError(f"{path}: {error}" if path else str(error)) from None


def build_plan(data: Mapping[str, Any]) -> Plan:
    """Make a plan from plain data.

    Raises:
        PlanError: as `load_plan`, without the file's name.
    """
    tables = data.get("chaos", ())
    if not isinstance(tables, list | tuple):
        raise PlanError(f"chaos: expected a list of tables, written as [[chaos]] (it is {tables!r})")
    for key, number in _not_finite(data):
        raise PlanError(f"{key}: expected a number (it is {number})")
    plan = _convert({name: value for name, value in data.items() if name != "chaos"}, Plan)
    acts = tuple(_act(table, f"chaos[{number}]") for number, table in enumerate(tables))
    return msgspec.structs.replace(plan, chaos=acts) if acts else plan


def _not_finite(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Numbers that are none, which TOML allows and no comparison refuses: nan and inf, with their keys."""
    if isinstance(value, float):
        if not isfinite(value):
            yield key, value
    elif isinstance(value, Mapping):
        for name, inside in value.items():
            yield from _not_finite(inside, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list | tuple):
        for number, inside in enumerate(value):
            yield from _not_finite(inside, f"{key}[{number}]")


def _act(table: Any, where: str) -> Act:
    """One table of `[[chaos]]`, by the options of its fault."""
    if not isinstance(table, dict):
        raise PlanError(f"{where}: expected a table, written as [[chaos]] (it is {table!r})")
    try:
        return _convert(table, choose(table, where).options, where)
    except PlanError as error:
        text = str(error)
        raise PlanError(text if text.startswith((where, "unknown")) else f"{where}: {text}") from None


def _convert(data: Mapping[str, Any], kind: type[T], where: str = "") -> T:
    """Make a struct of plain data, which stands at `where` in the file.

    Raises:
        PlanError: as `load_plan`.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, PlanError):
            raise error.__cause__ from None
        raise PlanError(_explain(str(error), data, kind, where)) from None


def parse_override(text: str) -> tuple[str, Any]:
    """Read `load.sessions=200` as ("load.sessions", 200); the value is TOML, or else plain text.

    Raises:
        PlanError: there is no `=`.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise PlanError(f'--set "{text}": write KEY=VALUE, for example load.sessions=200')
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


def mask_argument(argument: str) -> str:
    """A word of a command line as it may be written down: `KEY=VALUE` as the plan's, whether it stands after `--set`
    or in `--set=KEY=VALUE`.
    """
    name, equals, value = argument.partition("=")
    if not equals or not name or "://" in name:
        return mask_url(argument)
    if name.startswith("-") and "=" in value:
        return f"{name}={mask_argument(value)}"
    told = parse_override(argument)[1]
    masked = mask_all("key" if "key" in name.lower().split(".") else name, told)
    return (
        argument
        if masked == told
        else f"{name}={masked if isinstance(masked, str) else json.dumps(masked, default=str)}"
    )


def _set(data: dict[str, Any], key: str, value: Any) -> None:
    *tables, last = key.split(".")
    at: Any = data
    for name in [*tables, last][:-1]:
        at = _item(at, name, key)
    if isinstance(at, list):
        at[_index(at, last, key)] = value
    else:
        at[last] = value


def _item(at: Any, name: str, key: str) -> Any:
    if isinstance(at, list):
        return at[_index(at, name, key)]
    if not isinstance(at, dict) or not isinstance(at.setdefault(name, {}), dict | list):
        raise PlanError(f'--set {key}: "{name}" is a value, not a table')
    return at[name]


def _index(items: list[Any], name: str, key: str) -> int:
    if not name.isdecimal() or int(name) >= len(items):
        raise PlanError(f'--set {key}: the list has items 0 to {len(items) - 1}, not "{name}"')
    return int(name)


def _explain(message: str, data: Mapping[str, Any], root: type[Any], under: str) -> str:
    """Turn msgspec's message into one line that names the key, its value and the nearest right key.

    `data` should be a `root` and stands at `under` in the file ("": it is the file).
    """
    text, _, path = message.partition(" - at `$")
    where = path.rstrip("`").lstrip(".")
    shown_at = f"{under}.{where}".strip(".")
    unknown = re.search(r"unknown field `([^`]*)`", text)
    if unknown is None:
        if kinds := _kinds_at(text, where, data, root):
            return kinds
        value = _value_at(data, where)
        if known := _values_of(_type_at(where, data, root)):
            return f'{shown_at}: there is no "{value}"; {did_you_mean(str(value), known)} known: {", ".join(known)}'
        shown = f" (it is {value!r})" if value is not None and not isinstance(value, dict | list) else ""
        return f"{shown_at or 'plan'}: {text[:1].lower()}{text[1:]}{shown}"
    name = unknown[1]
    key = f"{shown_at}.{name}" if shown_at else name
    if key in MOVED:
        return f'"{key}" has moved: write {MOVED[key]}'
    known = _fields_at(where, data, root)
    hint = did_you_mean(name, known, f"known keys: {', '.join(sorted(known))}")
    return f'unknown key "{key}"; {hint}'


def _kinds_at(text: str, where: str, data: Mapping[str, Any], root: type[Any]) -> str:
    """What to say when the tag of a table of several kinds is wrong or missing ("": that is not what is wrong)."""
    table, _, tag = where.rpartition(".") if text.startswith("Invalid value") else (where, "", "")
    missing = re.search(r"missing required field `([^`]*)`", text)
    tag = tag or (missing[1] if missing else "")
    tables = _tables(_type_at(table, data, root))
    known = sorted(str(each.tag) for each in tables if each.tag_field == tag)
    if len(known) < 2:
        return ""
    value = str(_value_at(data, f"{table}.{tag}"))
    if missing:
        return f"{table}.{tag}: say which: {', '.join(known)}"
    hint = did_you_mean(value, known, f"known: {', '.join(known)}")
    return f'{table}.{tag}: there is no "{value}"; {hint}'


def _values_of(kind: Any) -> list[str]:
    """The values that a key with a few named ones may have; none for any other type."""
    for each in getattr(kind, "types", [kind]):
        if isinstance(each, inspect.LiteralType):
            return [str(value) for value in each.values]
        if isinstance(each, inspect.EnumType):
            return [str(member.value) for member in each.cls]
    return []


def _steps(where: str) -> list[str]:
    """`chaos[2].how` as the steps that lead there."""
    return re.findall(r"[^.\[\]]+", where)


def _value_at(data: Any, where: str) -> Any:
    return walk(data, tuple(_steps(where)))


def _fields_at(where: str, data: Any, root: type[Any]) -> list[str]:
    """The keys that the table at `where` may have."""
    kind = _choice(_type_at(where, data, root), _value_at(data, where))
    if not isinstance(kind, inspect.StructType):
        return []
    return [*filter(None, [kind.tag_field]), *(each.encode_name for each in kind.fields)]


def _type_at(where: str, data: Any, root: type[Any]) -> Any:
    """The declared type of what stands at `where`; of several kinds of table on the way, the one whose tag is borne."""
    kind: Any = inspect.type_info(root)
    for name in _steps(where):
        kind = _choice(kind, data)
        data = walk(data, (name,))
        if isinstance(kind, inspect.StructType):
            kind = next((each.type for each in kind.fields if each.encode_name == name), None)
        else:
            kind = getattr(kind, "item_type", None) or getattr(kind, "value_type", None)
    return kind


def _choice(kind: Any, data: Any) -> Any:
    """Of several kinds (a table, a list, none at all) the one that fits the data: a table by its tag, or the first."""
    if isinstance(data, list | tuple):
        lists = [each for each in getattr(kind, "types", [kind]) if hasattr(each, "item_type")]
        return (lists or [kind])[0]
    tables = _tables(kind)
    named = [each for each in tables if each.tag_field and walk(data, (each.tag_field,)) == each.tag]
    return (named or tables or [kind])[0]


def _tables(kind: Any) -> list[inspect.StructType]:
    return [each for each in getattr(kind, "types", [kind]) if isinstance(each, inspect.StructType)]
