"""Dotted paths into JSON and other plain data (`data.items.0.id`), as a plan writes them."""

from typing import Any

import msgspec

Path = tuple[str, ...]

_Raws = dict[str, msgspec.Raw]


def split(dotted: str) -> Path:
    """The names on a path, numbers of list items among them; none for "", which is where one begins.

    >>> split("data.0.id"), split("")
    (('data', '0', 'id'), ())
    """
    return tuple(dotted.split(".")) if dotted else ()


def walk(node: Any, path: Path) -> Any:
    """What stands at a path of decoded JSON; None when nothing does, or a null.

    >>> walk({"data": [{"id": 7}]}, ("data", "0", "id")), walk({"data": []}, ("data", "0", "id"))
    (7, None)
    """
    for name in path:
        if type(node) is dict:
            node = node.get(name)
        elif type(node) is list and name.isdecimal() and int(name) < len(node):
            node = node[int(name)]
        else:
            return None
    return node


def walk_undecoded(data: bytes, path: Path) -> bytes | None:
    """The JSON that stands at a path of objects, undecoded; None when there is none, or no JSON."""
    try:
        for name in path:
            found: msgspec.Raw | None = msgspec.json.decode(data, type=_Raws).get(name)
            if found is None:
                return None
            data = bytes(found)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return data
