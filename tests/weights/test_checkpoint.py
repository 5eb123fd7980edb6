"""Weights on disk: what is written is what is read, and anything else is refused by name."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import galgen
from galgen.errors import WeightsError
from galgen.model.embedding import Condition
from galgen.weights import checkpoint
from galgen.weights.checkpoint import export, load
from galgen.weights.tensors import load_tensors, save_tensors
from tests.tiny import CARD, make_checkpoint


@pytest.fixture
def weights(tiny_weights: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(tiny_weights, tmp_path / "copy"))


def edit(folder: Path, change: Callable[[dict], object]) -> None:
    """Change config.json."""
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def test_round_trip(tiny_weights: Path) -> None:
    """Everything exact but the parameters, which are stored in half precision."""
    saved, loaded = make_checkpoint(), load(tiny_weights)
    assert loaded.space == saved.space
    assert loaded.size == saved.size
    assert loaded.card == CARD
    assert loaded.denoiser.config == saved.denoiser.config
    assert loaded.denoiser.net.config == saved.denoiser.net.config
    assert loaded.population.names == saved.population.names
    np.testing.assert_array_equal(loaded.population.centre, saved.population.centre)
    np.testing.assert_allclose(loaded.population.z_np, saved.population.z_np, atol=0.002)
    for name, parameter in saved.denoiser.named_parameters():
        assert torch.equal(loaded.denoiser.get_parameter(name), parameter.half().float()), name
    assert not loaded.denoiser.training
    assert not any(p.requires_grad for p in loaded.denoiser.parameters())
    assert (tiny_weights / "README.md").read_text() == "# tiny\n"
    x_nhwc = torch.randn(2, 32, 32, 3, generator=torch.Generator().manual_seed(0))
    condition = Condition(torch.tensor([1, 6]), torch.full((2, 5), torch.nan))
    sigma_b = torch.tensor([0.1, 2.0])
    with torch.no_grad():
        a, b = (c.denoiser(x_nhwc, sigma_b, condition) for c in (saved, loaded))
    torch.testing.assert_close(a, b, rtol=0.01, atol=0.01)


def test_vp_round_trip(tmp_path: Path) -> None:
    """Its table of noise levels is not in the file but made again."""
    export(make_checkpoint(preconditioning="vp", timesteps=7), tmp_path, "")
    denoiser = load(tmp_path).denoiser
    assert denoiser.config.timesteps == 7
    assert len(denoiser.preconditioning.training_sigmas) == 7


def test_same_weights_same_identity(tiny_weights: Path, tmp_path: Path) -> None:
    same = export(make_checkpoint(), tmp_path / "same", "another model card")
    assert load(tiny_weights).sha256 == same
    assert load(tmp_path / "same").sha256 == same
    assert re.fullmatch("[0-9a-f]{64}", same)
    other = make_checkpoint()
    other.denoiser.net.head.bias += 1
    assert export(other, tmp_path / "other", "") != same


def test_shards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_weights: Path) -> None:
    """Files stay below the limit, but for a tensor that alone is larger, and join again."""
    limit = 50_000
    monkeypatch.setattr(checkpoint, "SHARD_BYTES", limit)
    export(make_checkpoint(), tmp_path, "")
    files = sorted(tmp_path.glob("*.safetensors"))
    assert len(files) > 5
    assert {path.name for path in files} == {
        f"model-{i + 1}-of-{len(files)}.safetensors" for i in range(len(files))
    }
    for path in files:
        tensors, _ = load_tensors(path)
        assert len(tensors) == 1 or sum(t.nbytes for t in tensors.values()) <= limit
    whole, joined = load(tiny_weights), load(tmp_path)
    for name, parameter in whole.denoiser.named_parameters():
        assert torch.equal(joined.denoiser.get_parameter(name), parameter)
    files[3].unlink()
    with pytest.raises(WeightsError, match=rf"{files[3].name}: missing"):
        load(tmp_path)


def test_one_file_below_the_limit(tiny_weights: Path) -> None:
    names = {path.name for path in tiny_weights.iterdir()}
    assert names == {"model.safetensors", "config.json", "README.md"}


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
        (lambda c: c.update(format=2), "format 2; this galgen reads format 1"),
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


def test_tensors_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    tensors = {
        "transposed": torch.arange(6.0).view(2, 3).T,  # not contiguous
        "empty": torch.empty(0, 5),
        "scalar": torch.tensor(3, dtype=torch.int16),
    }
    meta = {"step": 3, "name": "µ", "nested": {"a": [1, None]}}
    save_tensors(path, tensors, meta)
    back, back_meta = load_tensors(path)
    assert back_meta == meta
    assert back.keys() == tensors.keys()
    for name in tensors:
        assert torch.equal(back[name], tensors[name])
        assert back[name].dtype == tensors[name].dtype
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


def test_load_tensors_names_the_file(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.safetensors", tmp_path):
        with pytest.raises(WeightsError, match=re.escape(str(path))):
            load_tensors(path)


def test_export_replaces_an_export(weights: Path) -> None:
    other = make_checkpoint()
    card = {**CARD, "name": "second"}
    export(dataclasses.replace(other, card=card), weights, "")
    assert load(weights).card["name"] == "second"


def test_nothing_in_galgen_unpickles() -> None:
    pattern = re.compile(r"^\s*(import|from)\s+(pickle|dill|joblib|cloudpickle)|torch\.load\b"
                         r"|allow_pickle\s*=\s*True", re.MULTILINE)  # fmt: skip
    sources = list(Path(galgen.__path__[0]).rglob("*.py"))
    assert len(sources) > 30
    assert [str(path) for path in sources if pattern.search(path.read_text())] == []


@pytest.mark.parametrize(
    "claim",
    [
        {"widths": [8192, 8192, 8192]},
        {"blocks": 64},
        {"embedding": 8192},
        {"window": 64, "head_size": 1},
        {"properties": [f"p{i}" for i in range(100_000)]},
        {"detail_features": 8192, "detail_width": 8192},
    ],
)
def test_a_network_larger_than_its_file_is_not_made(weights: Path, claim: dict) -> None:
    """Its memory would have to be taken before its tensors could be seen not to be there."""
    edit(weights, lambda config: config["model"].update(claim))
    with pytest.raises(WeightsError, match=r"do not fit config\.json: numbers of the network is"):
        load(weights)


def test_loading_imports_no_compiler(tiny_weights: Path) -> None:
    """Half of PyTorch, which takes a second; commands start with this."""
    code = f"""
import sys
from pathlib import Path
from galgen.weights.checkpoint import load
load(Path({str(tiny_weights)!r}))
sys.exit(int("torch._dynamo" in sys.modules))
"""
    path = os.pathsep.join(filter(None, sys.path))
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, check=True)
