"""The resumable state of a training run, one safetensors file without pickles."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from galgen.diffusion.config import DiffusionConfig
from galgen.errors import WeightsError, reading
from galgen.model.config import ModelConfig
from galgen.weights.tensors import load_tensors, save_tensors


def save_state(
    path: Path,
    denoiser: nn.Module,
    averaged: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    meta: dict[str, Any],
) -> None:
    """Write networks and optimizer moments aside, then rename: a kill leaves the last good file.

    Parameters
    ----------
    path : Path
        File to write.
    denoiser, averaged : nn.Module
        The network that is trained, and its average.
    optimizers : sequence of Optimizer
        Whose moments are kept.
    meta : dict
        What else to keep, of JSON types.
    """
    tensors = {f"trained.{k}": v for k, v in denoiser.state_dict().items()}
    tensors |= {f"averaged.{k}": v for k, v in averaged.state_dict().items()}
    for i, optimizer in enumerate(optimizers):
        for j, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{j}.{k}": torch.as_tensor(v) for k, v in moments.items()}
    save_tensors(path, tensors, {**meta, "sha256": _digest(tensors, meta)})


def load_state(
    path: Path,
    denoiser: nn.Module,
    averaged: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    expected: Mapping[str, Any],
) -> dict[str, Any]:
    """Restore what `save_state` wrote and return its metadata.

    Parameters
    ----------
    path : Path
        File to read.
    denoiser, averaged, optimizers
        As for `save_state`; changed in place.
    expected : mapping
        Metadata that must be the same where the file has them.

    Raises
    ------
    WeightsError
        If the file cannot be read or a bit of it has changed, its metadata are not as `expected`
        where they have the same keys, or it belongs to another network.
    """
    tensors, meta = load_tensors(path)
    # Runs from before there was one go on.
    if (known := meta.pop("sha256", None)) is not None and known != _digest(tensors, meta):
        raise WeightsError(
            f"{path}: it is damaged (its SHA-256 does not match); go on from a copy of it, or "
            "start again with another `out`."
        )
    for name, ours in expected.items():
        with reading(path, "the state of a run", WeightsError, values=True):
            theirs = _with_defaults(name, meta.get(name, ours))
        if theirs != ours:
            raise WeightsError(
                f"{path}: its {name} is {theirs}, this run's is {ours}; use the preset it was "
                "started with or another `out`."
            )
    try:
        denoiser.load_state_dict(_part(tensors, "trained."))
        averaged.load_state_dict(_part(tensors, "averaged."))
    except RuntimeError as error:
        raise WeightsError(
            f"{path}: checkpoint of another network; use the preset it was started with "
            f"or another `out` ({error})."
        ) from error
    with reading(path, "the state of a run", WeightsError):
        for i, optimizer in enumerate(optimizers):
            _restore(optimizer, _part(tensors, f"optimizer.{i}."))
    return meta


def read_progress(path: Path, meta: Mapping[str, Any]) -> tuple[int, int, float]:
    """Take steps, images and seconds, of which a run has had so many, from metadata.

    Raises
    ------
    WeightsError
        If one is missing, or no such number.
    """
    with reading(path, "the state of a run", WeightsError):
        numbers = int(meta["step"]), int(meta["images"]), float(meta["seconds"])
    if not 0 <= min(numbers) <= max(numbers) < math.inf:
        raise WeightsError(f"{path}: steps, images, seconds are {numbers}; 0 or more are needed.")
    return numbers


def _restore(optimizer: torch.optim.Optimizer, moments: Mapping[str, Tensor]) -> None:
    """Give an optimizer its moments, which must be those of its parameters."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in moments.items():
        j, name = key.split(".", 1)
        if value.ndim and value.shape != parameters[int(j)].shape:
            raise ValueError(f"{key} has shape {tuple(value.shape)}")
        state.setdefault(int(j), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _digest(tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what a checkpoint holds."""
    digest = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _with_defaults(name: str, found: Any) -> Any:
    """Complete a checkpoint's configuration: settings newer than it had their defaults then."""
    if name == "model":
        found = ModelConfig.from_json(found).to_json()
    elif name == "diffusion":
        found = DiffusionConfig.from_json(found).task()
    return json.loads(json.dumps(found))


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return tensors of a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
