"""What every frozen configuration has: a check of its values, and a strict JSON form.

JSON comes from strangers, too (weights, archives of images): `parse_json` bounds what it may be.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from galgen.errors import InvalidValueError
from galgen.system.inputs import open_input


def require(ok: bool, name: str, value: object, allowed: str) -> None:
    """Refuse a value.

    Parameters
    ----------
    ok : bool
        Whether the value is allowed.
    name, value, allowed
        See `galgen.errors.InvalidValueError`.

    Raises
    ------
    InvalidValueError
        Unless `ok`.
    """
    if not ok:
        raise InvalidValueError(name, value, allowed)


def json_types(value: object) -> object:
    """Return JSON types only: mappings, lists, and None for NaN and infinity."""
    if isinstance(value, Mapping):
        return {str(k): json_types(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [json_types(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


MAX_JSON_BYTES = 1 << 22  # a run that carries 999 columns of a table has a tenth of it
_MAX_JSON_DEPTH = 32


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file, see `parse_json`; no more of the file than that allows."""
    with open_input(path) as file:
        return parse_json(file.read(MAX_JSON_BYTES + 1))


def parse_json(data: bytes) -> dict[str, Any]:
    """Parse a JSON object as galgen's own files have them.

    Parameters
    ----------
    data : bytes
        UTF-8 text of at most 4 MiB, whose integers fit into 64 bits, and of which nothing is nested
        more than 32 deep.

    Returns
    -------
    dict
        The object.

    Raises
    ------
    ValueError, RecursionError
        If it is anything else.
    """
    if len(data) > MAX_JSON_BYTES:
        raise ValueError(f"longer than {MAX_JSON_BYTES} bytes")
    found = json.loads(data.decode("utf-8-sig"), parse_int=_integer)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    level: list[Any] = [found]
    for _ in range(_MAX_JSON_DEPTH):
        level = [inner for value in level for inner in _inner(value)]
        if not level:
            return found
    raise ValueError(f"nested more than {_MAX_JSON_DEPTH} deep")


def _integer(text: str) -> int:
    """Return an integer that 64 bits hold; of more digits Python refuses the conversion itself."""
    if len(text) > 20 or not -(2**63) <= int(text) < 2**64:
        raise ValueError(f"integer {text[:20]}... does not fit into 64 bits")
    return int(text)


def _inner(value: Any) -> Iterable[Any]:
    """Return what is directly in a JSON value."""
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


@dataclasses.dataclass(frozen=True)
class JsonConfig:
    """Mix-in: a dataclass that goes to JSON and back, refusing keys that it does not know."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON has them: texts, numbers, lists, objects, None.

        What is in a field may have a `to_json` of its own, or else be a dataclass.
        """
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        plain: dict[str, Any] = json.loads(json.dumps(fields, default=_plain))
        return plain

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Make one of what `to_json` returned; fields with a default may be missing.

        Parameters
        ----------
        data : mapping
            By the names of the fields; lists become tuples.

        Raises
        ------
        InvalidValueError
            If it is no mapping, a field is unknown or missing, or a value is of another type or not
            allowed.
        """
        require(isinstance(data, Mapping), cls.__name__, data, "a JSON object")
        values = {name: as_tuples(value) for name, value in data.items()}
        check_fields(cls, values)
        missing = sorted({f.name for f in dataclasses.fields(cls) if _is_required(f)} - set(data))
        require(not missing, f"missing {cls.__name__} keys", missing, "none")
        return cls(**values)


def check_fields(kind: type, values: Mapping[str, Any]) -> None:
    """Refuse values that cannot be fields of a dataclass, which does not look at types itself.

    Parameters
    ----------
    kind : type
        A dataclass.
    values : mapping
        By the names of its fields, not necessarily all.

    Raises
    ------
    InvalidValueError
        If there is no such field, or it is of another type.
    """
    known = {field.name for field in dataclasses.fields(kind)}
    unknown = sorted(set(values) - known)
    require(not unknown, f"{kind.__name__} keys", unknown, ", ".join(sorted(known)))
    types = get_type_hints(kind)
    for name, value in values.items():
        allowed = str(getattr(types[name], "__name__", types[name]))
        require(_is_a(value, types[name]), f"{kind.__name__}.{name}", value, allowed)


def _is_a(value: object, kind: Any) -> bool:
    """Whether a value is of a type, as far as those of fields go."""
    parts, origin = get_args(kind), get_origin(kind)
    if origin in (Union, UnionType):
        return any(_is_a(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if origin is tuple and isinstance(value, tuple):
        inner = parts[:1] * len(value) if parts[-1] is ... else parts
        return len(inner) == len(value) and all(map(_is_a, value, inner))
    if kind in (int, float):  # not the booleans, which are integers to Python
        return type(value) is int or (kind is float and isinstance(value, float))
    return kind is Any or isinstance(value, origin or kind)


def as_tuples(value: Any) -> Any:
    """Return a value with tuples for its lists, at any depth: JSON has no tuples."""
    if isinstance(value, list):
        return tuple(map(as_tuples, value))
    if isinstance(value, dict):
        return {name: as_tuples(inner) for name, inner in value.items()}
    return value


def _plain(value: Any) -> Any:
    """Return what stands in JSON for an object that is no JSON."""
    return value.to_json() if hasattr(value, "to_json") else dataclasses.asdict(value)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    """Whether a field has no default."""
    return field.default is field.default_factory is dataclasses.MISSING
