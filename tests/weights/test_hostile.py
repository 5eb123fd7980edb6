"""Weights of strangers: every number and key of their settings, and headers of their tensors."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from galgen.errors import WeightsError
from galgen.weights.checkpoint import load
from tests.patience import patience

FILE = "model.safetensors"
VALUES = (
    -1,
    0,
    1e30,
    2**31,
    2**62,
    float("nan"),
    float("inf"),
    "x",
    "9" * 500,
    None,
    [],
    {},
    True,
)


@pytest.fixture
def weights(tmp_path: Path, tiny_weights: Path) -> Path:
    return shutil.copytree(tiny_weights, tmp_path / "weights")


def read(folder: Path) -> str | None:
    """What is wrong with weights; None if they are loaded. Any other error is raised."""
    try:
        with patience():
            load(folder)
    except WeightsError as error:
        return str(error)
    return None


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in JSON numbers, texts and lists are; of long lists the first items."""
    if at:
        yield at
    inner = value.items() if isinstance(value, dict) else ()
    inner = list(enumerate(value))[:2] if isinstance(value, list) else inner
    for key, one in inner:
        yield from places(one, (*at, key))


SECTIONS = ("model", "diffusion", "pixels", "categories", "size", "card", "files", "format")


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting(weights: Path, section: str) -> None:
    """Values of another kind or size, and keys that are not there."""
    path = weights / "config.json"
    text = path.read_text()
    where = [at for at in places(json.loads(text)) if at[0] == section]
    refused = 0
    for *above, key in where:
        for value in (*VALUES, "gone"):
            config = inner = json.loads(text)
            for one in above:
                inner = inner[one]
            if value == "gone":
                inner.pop(key)
            else:
                inner[key] = value
            path.write_text(json.dumps(config))
            said = read(weights)
            refused += said is not None
            assert "\n" not in (said or ""), (above, key, value)
            assert str(weights) in (said or str(weights)), (above, key, value)
            assert len(said or "") < 2000, (above, key, value)
    assert refused


def tensors(weights: Path) -> tuple[dict[str, Any], bytes]:
    """Header and data of the file of tensors."""
    data = (weights / FILE).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def write(weights: Path, content: bytes) -> None:
    """Write a file of tensors that is as config.json says."""
    (weights / FILE).write_bytes(content)
    config = json.loads((weights / "config.json").read_text())
    config["files"] = {FILE: hashlib.sha256(content).hexdigest()}
    (weights / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("length", [0, 1, 7, 10**8, 10**9, 2**62, 2**63, 2**64 - 1])
def test_lengths_of_the_header(weights: Path, length: int) -> None:
    data = (weights / FILE).read_bytes()
    write(weights, struct.pack("<Q", length) + data[8:])
    assert FILE in (read(weights) or "")


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "F16X"},
        {"dtype": 5},
        {"dtype": "I64"},
        {"dtype": "BOOL"},
        {"shape": []},
        {"shape": [-1]},
        {"shape": [2**62]},
        {"shape": [2**32, 2**32]},
        {"shape": [0]},
        {"shape": "x"},
        {"shape": None},
        {"data_offsets": [0, 2**63]},
        {"data_offsets": [8, 0]},
        {"data_offsets": [-8, 0]},
        {"data_offsets": [0, 0]},
        {"data_offsets": []},
        None,
    ],
    ids=str,
)
def test_headers_of_tensors(weights: Path, change: dict | None) -> None:
    header, body = tensors(weights)
    name = next(name for name in header if name.startswith("net."))
    if change is None:
        header.pop(name)
    else:
        header[name] |= change
    text = json.dumps(header).encode()
    write(weights, struct.pack("<Q", len(text)) + text + body)
    assert str(weights) in (read(weights) or "")


@pytest.mark.parametrize("text", [100_000 * b"[", b"{" + 100_000 * b'"a":{', b"9" * 5000, b"\xff"])
def test_headers_that_are_no_json_of_tensors(weights: Path, text: bytes) -> None:
    write(weights, struct.pack("<Q", len(text)) + text + tensors(weights)[1])
    assert FILE in (read(weights) or "")
