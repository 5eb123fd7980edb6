"""JSON on disk with its digest: whole, or known to be damaged."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from galgen.catalog.write.disk import read_own
from galgen.settings import MAX_JSON_BYTES, parse_json
from galgen.system.files import written_aside


def write_signed(path: Path, body: dict[str, Any]) -> None:
    """Write JSON with its digest, whole or not at all.

    Raises
    ------
    OSError
        If the disk is full or fails.
    """
    with written_aside(path, shared=True) as aside:
        aside.write_text(json.dumps(body | {"sha256": digest(body)}) + "\n")


def read_signed(path: Path) -> dict[str, Any]:
    """Read what `write_signed` wrote.

    Raises
    ------
    ValueError
        If it is damaged, or no JSON such as galgen writes, see `galgen.settings.parse_json`.
    OSError
        If it cannot be read.
    """
    try:
        body = parse_json(read_own(path, MAX_JSON_BYTES))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if body.pop("sha256", None) != digest(body):
        raise ValueError("its digest does not fit")
    return body


def digest(body: dict[str, Any]) -> str:
    """SHA-256 of JSON, whatever the order of its keys."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
