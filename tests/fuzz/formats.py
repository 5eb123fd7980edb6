"""Damage that keeps a file one of its format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzz import cards, containers, texts

Bytes = Callable[[Random, bytes], bytes]


def of(whole: bytes, path: Path) -> dict[str, Bytes]:
    """Return the changes that this format has; none if it is none of these."""
    if whole.startswith(b"SIMPLE"):
        return cards.FITS
    if whole.startswith(b"\x89PNG"):
        return containers.PNG
    if whole.startswith(b"PK"):
        return containers.ZIP
    if whole.startswith(b"\x89HDF"):
        return containers.HDF5
    if path.suffix == ".json":
        return texts.JSON
    if path.suffix == ".safetensors":
        return texts.SAFETENSORS
    return texts.TEXT if path.suffix in texts.SUFFIXES else {}
