"""Weights on disk: what is written is what is read."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
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
from tests.weights.changed import edit


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


def test_finisher_round_trip(tmp_path: Path) -> None:
    """Weights with a finisher say so by their format, which galgen before it refuses."""
    saved = make_checkpoint(finished=True, sigma_last=0.5)
    export(saved, tmp_path / "finished", "")
    loaded = load(tmp_path / "finished").denoiser
    assert json.loads((tmp_path / "finished" / "config.json").read_text())["format"] == 2
    assert loaded.finisher is not None
    for name, parameter in saved.denoiser.named_parameters():
        assert torch.equal(loaded.get_parameter(name), parameter.half().float()), name
    assert not torch.equal(loaded.finisher.head.weight, loaded.net.head.weight)
    assert not any(p.requires_grad for p in loaded.parameters())


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
    # PyTorch's weights of other packages are read as tensors alone, or not at all.
    pattern = re.compile(r"^\s*(import|from)\s+(pickle|dill|joblib|cloudpickle)"
                         r"|torch\.load\b(?!\(.*weights_only=True\))"
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
