"""What every frozen configuration has: a check of its values, and a strict JSON form."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

from galgen.errors import InvalidValueError


def require(ok: bool, name: str, value: object, allowed: str) -> None:
    """Refuse a value.

    Raises
    ------
    InvalidValueError
        Unless `ok`.
    """
    if not ok:
        raise InvalidValueError(name, value, allowed)


class JsonConfig:
    """Mix-in: a dataclass that goes to a plain dict and back, refusing keys it does not know."""

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        require(isinstance(data, dict), cls.__name__, data, "a JSON object")
        known = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(data) - known)
        require(not unknown, f"{cls.__name__} keys", unknown, ", ".join(sorted(known)))
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in data.items()})
