"""Weights whose files are damaged, missing, of another kind, or do not fit together."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from galgen.errors import WeightsError
from galgen.weights import checkpoint
from galgen.weights.checkpoint import load
from galgen.weights.tensors import load_tensors, save_tensors
from tests.weights.changed import edit


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("position", [0, 100, -1], ids=["length", "header", "last tensor"])
def test_flipped_bit(weights: Path, position: int) -> None:
    flip(weights / "model.safetensors", position)
    with pytest.raises(WeightsError, match=r"model\.safetensors: SHA-256"):
        load(weights)


@pytest.mark.parametrize("keep", [0, 4, 1000, -1])
def test_truncated(weights: Path, keep: int) -> None:
    path = weights / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WeightsError, match=r"model\.safetensors: SHA-256"):
        load(weights)


@pytest.mark.parametrize("content", ["pickle", "empty", "text", "half"])
def test_not_safetensors_although_the_hash_fits(weights: Path, content: str) -> None:
    """A pickle with the right name and hash is not executed either."""
    path, trap = weights / "model.safetensors", weights / "executed"
    path.write_bytes(
        {
            "pickle": pickle.dumps(Trap(str(trap))),
            "empty": b"",
            "text": b"weights",
            "half": path.read_bytes()[:5000],
        }[content]
    )
    edit(weights, lambda c: c["files"].update({path.name: checkpoint._sha256(path)}))
    with pytest.raises(WeightsError, match=r"model\.safetensors: cannot be read as safetensors"):
        load(weights)
    assert not trap.exists()


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return Path.mkdir, (Path(self.folder),)


def test_the_trap_works(tmp_path: Path) -> None:
    """Or the test above could not fail."""
    pickle.loads(pickle.dumps(Trap(str(tmp_path / "executed"))))
    assert (tmp_path / "executed").exists()


def test_missing(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere: no weights here \(no config\.json\)"):
        load(tmp_path / "nowhere")
    (weights / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"model\.safetensors: missing"):
        load(weights)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"\xff\xfe{}", "cannot be read"),
        (b"[]", "not a JSON object"),
        (b'"weights"', "not a JSON object"),
        (b"{}", "format None"),
        (b'{"format": 1}', "lacks model, diffusion, pixels, size, card, files"),
    ],
)
def test_config_is_garbage(weights: Path, content: bytes, match: str) -> None:
    (weights / "config.json").write_bytes(content)
    with pytest.raises(WeightsError, match=rf"config\.json: .*{match}"):
        load(weights)


def test_config_is_a_folder(weights: Path) -> None:
    (weights / "config.json").unlink()
    (weights / "config.json").mkdir()
    with pytest.raises(WeightsError, match=r"config\.json is a folder, not a file"):
        load(weights)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda c: c.update(format=3), "format 3; this galgen reads formats 1 and 2"),
        (lambda c: c.update(format=2), "do not fit.*sigma_last"),  # no level for a finisher
        (
            lambda c: (c.update(format=2), c["diffusion"].update(sigma_last=0.5)),
            "do not fit.*tensors",  # of a finisher, which are missing
        ),
        (lambda c: c.pop("size"), "lacks size"),
        (lambda c: c.update(files=["model.safetensors"]), "lacks files"),
        (lambda c: c.update(files={}), "do not fit"),
        (lambda c: c.update(card=None), "lacks card"),
        (lambda c: c["card"].pop("credit"), "lacks card/credit"),
        (lambda c: c["model"].update(patch=2), "do not fit"),
        (lambda c: c["model"].update(patch=3), "do not fit.*patch is 3"),
        (lambda c: c["model"].update(patch="4"), "do not fit"),
        (lambda c: c["model"].update(blocks=2), "do not fit"),
        (lambda c: c["model"].update(fusion="conv"), "do not fit"),
        (lambda c: c["model"].update(depth=3), "do not fit.*depth"),
        (lambda c: c["model"].update(properties=["axis_ratio"]), "do not fit"),
        (lambda c: c["diffusion"].update(preconditioning="ve"), "do not fit.*preconditioning"),
        (lambda c: c["diffusion"].update(sigma_min=None), "do not fit"),
        (lambda c: c["pixels"].pop("mean"), "do not fit.*mean"),
        (lambda c: c["pixels"].update(lupton="hst"), "do not fit.*hst"),
        (
            lambda c: c["pixels"].update(bands=["g"], mean=[0.0], std=[1.0], lupton=None),
            "do not fit.*bands",
        ),
        (lambda c: c.update(size=33), "do not fit.*stamp size"),
    ],
)
def test_config_does_not_match(weights: Path, change: Callable[[dict], object], match: str) -> None:
    edit(weights, change)
    with pytest.raises(WeightsError, match=match) as caught:
        load(weights)
    assert str(weights) in str(caught.value)


def test_tensors_do_not_match(weights: Path) -> None:
    """Files that are what config.json says, with tensors that are not."""
    path = weights / "model.safetensors"
    tensors, meta = load_tensors(path)
    for name, changed in {
        "net.head.bias": None,
        "net.head.weight": torch.zeros(3, 3),
        "population.z": torch.zeros(7, 5),
        "population.ranges": None,
        "net.extra": torch.zeros(1),
    }.items():
        broken = {**tensors, name: changed}
        save_tensors(path, {k: v for k, v in broken.items() if v is not None}, meta)
        edit(weights, lambda c: c["files"].update({path.name: checkpoint._sha256(path)}))
        with pytest.raises(WeightsError, match="do not fit"):
            load(weights)
