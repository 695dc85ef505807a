"""The JSON Schemas of the contract, found and compiled.

The contract is in `contracts/` of a checkout and in `harness/shipped/contracts` of an installed wheel; both are the
same files.
"""

from pathlib import Path

import jsonschema_rs

from ..errors import UsageError

ACTIONS = ("joinRoom", "leaveRoom", "sendMessage", "subscribeTicker", "unsubscribeTicker", "ping")
_PACKAGE = Path(__file__).resolve().parent.parent

Schemas = dict[str, jsonschema_rs.Validator]


def contracts_dir() -> Path:
    """The folder of the contract's files.

    Raises:
        UsageError: there is none.
    """
    for place in (_PACKAGE / "shipped" / "contracts", _PACKAGE.parent / "contracts"):
        if (place / "reference.toml").is_file():
            return place
    raise UsageError(f"the contract is missing: neither {_PACKAGE}/shipped/contracts nor {_PACKAGE.parent}/contracts")


def load_schemas() -> Schemas:
    """One compiled validator for each action.

    Raises:
        UsageError: a schema is missing or damaged.
    """
    schemas = {}
    for action in ACTIONS:
        path = contracts_dir() / "reference" / f"{action}.json"
        try:
            schemas[action] = jsonschema_rs.validator_for(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, jsonschema_rs.ValidationError) as error:
            raise UsageError(f"cannot use the schema {path}: {error}") from error
    return schemas
