"""What every frozen configuration has: a check of its values, and a strict JSON form.

JSON comes from strangers, too (weights, archives of images): `parse_json` bounds what it may be.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from galgen.errors import InvalidValueError


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


MAX_JSON_BYTES = 1 << 22  # a run that carries 999 columns of a table has a tenth of it
_MAX_JSON_DEPTH = 32


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file, see `parse_json`; no more of the file than that allows."""
    with path.open("rb") as file:
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
            If it is no mapping, a field is unknown or missing, or a value is not allowed.
        """
        require(isinstance(data, Mapping), cls.__name__, data, "a JSON object")
        fields = dataclasses.fields(cls)
        known = {field.name for field in fields}
        unknown = sorted(set(data) - known)
        require(not unknown, f"{cls.__name__} keys", unknown, ", ".join(sorted(known)))
        missing = sorted({field.name for field in fields if _is_required(field)} - set(data))
        require(not missing, f"missing {cls.__name__} keys", missing, "none")
        return cls(**{name: as_tuples(value) for name, value in data.items()})


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
