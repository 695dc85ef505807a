"""JSON Schemas of the files that people and programs read and write: report, plan, budget, contract."""

from collections.abc import Iterator

import msgspec

from harness.plan import Contract, Plan
from harness.plan.fault_registry import faults

from .budget import Budget
from .documented import comments, structs_in
from .registry import types_of
from .report import Report

DRAFT = "https://json-schema.org/draft/2020-12/schema"
STRUCTS: dict[str, type[msgspec.Struct]] = {"budget": Budget, "contract": Contract, "plan": Plan, "report": Report}
"""What each schema describes. `contract` is the table `[contract]` of a plan or of a shipped contract."""


def schema(name: str) -> dict[str, object]:
    """The JSON Schema of one of STRUCTS, the comments of its fields as descriptions.

    Raises:
        KeyError: there is no schema of that name.
    """
    struct = STRUCTS[name]
    made: dict[str, object] = msgspec.json.schema(struct, schema_hook=_anything)
    definitions = made["$defs"]
    assert isinstance(definitions, dict)
    for inner in inside(struct):
        properties = definitions.get(inner.__name__, {}).get("properties", {})
        for field, text in comments(inner).items():
            if field in properties:
                properties[field] = {**properties[field], "description": text}
    if "Plan" in definitions:
        definitions["Plan"]["properties"]["chaos"] = {"type": "array", "items": {"anyOf": list(_faults())}}
    return {"$schema": DRAFT, "title": f"Squall {name}", **made}


def _faults() -> Iterator[dict[str, object]]:
    """What `[[chaos]]` may say for each registered fault."""
    for kind in faults().values():
        (options,), definitions = msgspec.json.schema_components([kind.options])
        made = definitions[options["$ref"].rpartition("/")[2]]
        if kind.tag != kind.name:  # several faults share the tag, and `how` says which
            made["properties"]["how"] = {"enum": [kind.name]}
        yield {**made, "title": kind.title, "description": kind.summary}


def inside(struct: type[msgspec.Struct]) -> set[type[msgspec.Struct]]:
    """A struct and every struct in it, at any depth."""
    found: set[type[msgspec.Struct]] = set()
    left = [struct]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += [inner for kind in types_of(one).values() for inner in structs_in(kind)]
    return found


def _anything(kind: type) -> dict[str, object]:
    """The schema of `object`: any JSON."""
    if kind is not object:
        raise NotImplementedError(f"{kind} has no schema")
    return {"description": "any JSON"}
