"""The resumable state of a training run, one safetensors file without pickles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from galgen.diffusion.config import DiffusionConfig
from galgen.errors import WeightsError
from galgen.model.config import ModelConfig
from galgen.training.ema import PowerEMA
from galgen.weights.tensors import load_tensors, save_tensors


def save_state(
    path: Path,
    denoiser: nn.Module,
    ema: PowerEMA,
    optimizers: Sequence[torch.optim.Optimizer],
    meta: dict[str, Any],
) -> None:
    """Write networks and optimizer moments aside, then rename: a kill leaves the last good file."""
    tensors = {f"trained.{k}": v for k, v in denoiser.state_dict().items()}
    tensors |= {f"averaged.{k}": v for k, v in ema.module.state_dict().items()}
    for i, optimizer in enumerate(optimizers):
        for j, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{j}.{k}": torch.as_tensor(v) for k, v in moments.items()}
    save_tensors(path, tensors, meta)


def load_state(
    path: Path,
    denoiser: nn.Module,
    ema: PowerEMA,
    optimizers: Sequence[torch.optim.Optimizer],
    expected: Mapping[str, Any],
) -> dict[str, Any]:
    """Restore what `save_state` wrote and return its metadata.

    Raises
    ------
    WeightsError
        If the file cannot be read, its metadata are not as `expected` where they have the same
        keys, or it belongs to another network.
    """
    tensors, meta = load_tensors(path)
    for name, ours in expected.items():
        theirs = _with_defaults(name, meta.get(name, ours))
        if theirs != ours:
            raise WeightsError(
                f"{path}: its {name} is {theirs}, this run's is {ours}; use the preset it was "
                "started with or another --out."
            )
    try:
        denoiser.load_state_dict(_part(tensors, "trained."))
        ema.module.load_state_dict(_part(tensors, "averaged."))
    except RuntimeError as error:
        raise WeightsError(
            f"{path}: checkpoint of another network; use the preset it was started with "
            f"or another --out ({error})."
        ) from error
    for i, optimizer in enumerate(optimizers):
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in _part(tensors, f"optimizer.{i}.").items():
            j, name = key.split(".", 1)
            state.setdefault(int(j), {})[name] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return meta


def _with_defaults(name: str, found: Any) -> Any:
    """A configuration from a checkpoint: settings newer than that had their defaults then."""
    if name == "model":
        found = ModelConfig.from_json(found).to_json()
    elif name == "diffusion":
        found = DiffusionConfig.from_json(found).task()
    return json.loads(json.dumps(found))


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
