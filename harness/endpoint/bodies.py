"""The JSON Schemas of REST bodies, taken from the OpenAPI document itself.

There is no second copy that could become stale: the endpoint refuses by what `contracts/openapi.json` promises.
"""

import json
from functools import cache
from typing import Any

import jsonschema_rs

from ..errors import UsageError
from .schemas import contracts_dir


@cache
def _document() -> dict[str, Any]:
    path = contracts_dir() / "openapi.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot use the contract {path}: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"cannot use the contract {path}: it is not an object")
    return document


def body_schema(name: str) -> jsonschema_rs.Validator:
    """The validator of `#/components/schemas/NAME`.

    Raises:
        UsageError: the document or the schema is missing or damaged.
    """
    schema = {"$ref": f"#/components/schemas/{name}", "components": _document().get("components", {})}
    try:
        return jsonschema_rs.validator_for(schema)
    except (ValueError, jsonschema_rs.ValidationError) as error:
        raise UsageError(f"cannot use the schema {name} of openapi.json: {error}") from error
