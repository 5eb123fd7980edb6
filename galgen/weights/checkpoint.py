"""Weights on disk: safetensors and JSON only, verified by SHA-256, never executing code."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from galgen.categories import DEFAULT, Taxonomy
from galgen.diffusion.config import DiffusionConfig
from galgen.diffusion.denoiser import Denoiser
from galgen.errors import InvalidValueError, WeightsError, reading
from galgen.model.config import ModelConfig
from galgen.model.unet import UNet
from galgen.pixels.space import PixelSpace
from galgen.request.population import Population
from galgen.settings import read_json, require
from galgen.system.inputs import check_file
from galgen.weights.folder import CARD, CONFIG, read_weights, written_weights
from galgen.weights.tensors import load_tensors, save_tensors

PLAIN, FINISHED = 1, 2  # formats: of a denoiser alone, and of one with a finisher
NETWORKS = ("net", "finisher")
SHARD_BYTES = 15 * 2**20
KEYS = {"model": dict, "diffusion": dict, "pixels": dict, "size": int, "card": dict, "files": dict}
_NAME, _HASH = re.compile(r"[\w-]+\.safetensors").fullmatch, re.compile(r"[0-9a-f]{64}").fullmatch
CARD_KEYS = ("name", "version", "training_set", "credit")


@dataclass(frozen=True)
class Checkpoint:
    """Everything that sampling needs.

    Attributes
    ----------
    denoiser : Denoiser
        The network with its preconditioning, in evaluation mode.
    space : PixelSpace
        From model space to display pixels and flux.
    population : Population
        Properties the model knows and their distribution.
    size : int
        Side of the training stamps, pixels.
    card : dict
        Provenance: name, training data, images seen, credit, limits.
    sha256 : str
        Digest of all weight files together and of the level that samplers stop at, which identifies
        the weights in catalogues.
    """

    denoiser: Denoiser
    space: PixelSpace
    population: Population
    size: int
    card: dict[str, Any]
    sha256: str = ""

    @property
    def tree(self) -> Taxonomy:
        """The categories that can be asked for."""
        return self.population.tree


def export(checkpoint: Checkpoint, folder: Path, readme: str) -> str:
    """Write a checkpoint as half-precision safetensors shards, ``config.json`` and a model card.

    Parameters
    ----------
    checkpoint : Checkpoint
        What to write; its own `sha256` is not used.
    folder : Path
        Created if need be; weights that are there are replaced in one step, other files stay.
    readme : str
        The model card.

    Returns
    -------
    str
        SHA-256 that identifies the weights.
    """
    networks = dict(zip(NETWORKS, checkpoint.denoiser.networks, strict=False))
    tensors = {
        f"{name}.{k}": v.half()
        for name, network in networks.items()
        for k, v in network.state_dict().items()
    }
    for name, array in checkpoint.population.arrays().items():
        tensors[f"population.{name}"] = torch.from_numpy(array)
    shards = _shards(tensors)
    hashes = {}
    version = FINISHED if checkpoint.denoiser.finisher else PLAIN
    with written_weights(folder) as aside:
        for i, shard in enumerate(shards):
            part = "" if len(shards) == 1 else f"-{i + 1}-of-{len(shards)}"
            name = f"model{part}.safetensors"
            save_tensors(aside / name, shard, {"format": version})
            hashes[name] = _sha256(aside / name)
        config = {
            "format": version,
            "model": checkpoint.denoiser.net.config.to_json(),
            "diffusion": checkpoint.denoiser.config.to_json(),
            "pixels": checkpoint.space.to_json(),
            "categories": checkpoint.tree.to_json(),
            "size": checkpoint.size,
            "card": checkpoint.card,
            "files": hashes,
        }
        (aside / CONFIG).write_text(json.dumps(config, indent=1) + "\n")
        (aside / CARD).write_text(readme)
    return _identity(hashes, checkpoint.denoiser.config)


def load(folder: Path, device: str | torch.device = "cpu") -> Checkpoint:
    """Load an exported checkpoint after verifying every file.

    Parameters
    ----------
    folder : Path
        Written by `export`.
    device : str or torch.device
        Where the network is put.

    Raises
    ------
    WeightsError
        If a file is missing, altered, or of another format, or does not fit its configuration.
    """
    config, tensors = read_weights(folder, _read)
    misfit = f"{folder}: the weights do not fit config.json"
    with reading(misfit, "settings of a network", WeightsError, values=True):
        denoiser, space, population = _made_of(config, tensors)
    denoiser = denoiser.to(device).eval().requires_grad_(False)
    identity = _identity(config["files"], denoiser.config)
    return Checkpoint(denoiser, space, population, config["size"], config["card"], identity)


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read settings and tensors, each file of which is verified."""
    config = _read_config(folder)
    tensors: dict[str, Tensor] = {}
    for name, expected in config["files"].items():
        path = folder / name
        if not path.is_file():
            raise WeightsError(f"{path}: missing; the weights are incomplete.")
        if (found := _sha256(path)) != expected:
            raise WeightsError(
                f"{path}: SHA-256 is {found[:12]}..., config.json says {expected[:12]}...; "
                "the file is corrupted or altered: install it again."
            )
        tensors |= load_tensors(path)[0]
    return config, tensors


def _made_of(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> tuple[Denoiser, PixelSpace, Population]:
    """Make of settings and tensors what is told by them, if they fit together."""
    model = ModelConfig.from_json(config["model"])
    # Weights from before there were others have the default tree.
    named = config.get("categories")
    tree = DEFAULT if named is None else Taxonomy.from_json(named)
    diffusion = DiffusionConfig.from_json(config["diffusion"])
    finished = config["format"] == FINISHED
    last = diffusion.sigma_last
    require(last is not None or not finished, "sigma_last", last, "a level, for a finisher")
    networks = [_part(tensors, name) for name in NETWORKS[: 1 + finished]]
    # Before memory is taken for what the settings say.
    there, least = sum(t.numel() for t in networks[0].values()), model.least_parameters
    if there < least:
        raise InvalidValueError("numbers of the network", there, f"{least} or more, for its shape")
    denoiser = Denoiser(model, diffusion, tree, finished=finished)
    for network, given in zip(denoiser.networks, networks, strict=True):
        _check_shapes(network, given)
        network.load_state_dict({k: v.float() for k, v in given.items()})
    arrays = {name: tensor.numpy() for name, tensor in _part(tensors, "population").items()}
    population = Population.from_arrays(model.properties, arrays, tree)
    space = PixelSpace.from_json(config["pixels"])
    if len(space.bands) != model.bands:
        raise InvalidValueError("bands of the pixels", space.bands, f"{model.bands} of them")
    model.check_size(config["size"], config["size"])
    return denoiser, space, population


def _part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors of a part of the weights, by their names in it."""
    prefix = f"{name}."
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _check_shapes(network: UNet, net: Mapping[str, Tensor]) -> None:
    """Refuse a network other than that whose tensors there are."""
    own = network.state_dict()
    wrong = {k for k in own if k not in net or net[k].shape != own[k].shape} | (net.keys() - own)
    if wrong:
        what = "tensors that are missing, of another size, or too many"
        raise InvalidValueError(what, sorted(wrong)[:3], "those of the network")


def _read_config(folder: Path) -> dict[str, Any]:
    """Read ``config.json``, and see that all is there that `load` uses."""
    path = folder / CONFIG
    if not path.exists():
        raise WeightsError(f"{folder}: no weights here (no config.json).")
    check_file(path, WeightsError)
    with reading(path, "settings of weights", WeightsError):
        config = read_json(path)
    found = config.get("format")
    if found not in (PLAIN, FINISHED):
        known = f"formats {PLAIN} and {FINISHED}"
        raise WeightsError(f"{path}: format {found!r}; this galgen reads {known}.")
    wrong = [key for key, kind in KEYS.items() if not isinstance(config.get(key), kind)]
    if not wrong:
        card, files = config["card"], config["files"]
        wrong = [f"card/{key}" for key in CARD_KEYS if not isinstance(card.get(key), str)]
        # Names only: no file elsewhere is read.
        wrong += [f"files/{n}" for n, h in files.items() if not (_NAME(n) and _HASH(str(h)))]
    if wrong:
        raise WeightsError(f"{path}: lacks {', '.join(wrong[:9])}, or has something else there.")
    return config


def _shards(tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """Split tensors, in order, into groups of at most `SHARD_BYTES`."""
    shards: list[dict[str, Tensor]] = [{}]
    room = SHARD_BYTES
    for name, tensor in tensors.items():
        if tensor.nbytes > room and shards[-1]:
            shards.append({})
            room = SHARD_BYTES
        shards[-1][name] = tensor
        room -= tensor.nbytes
    return shards


def _sha256(path: Path) -> str:
    """Return the digest of a file."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _identity(hashes: Mapping[str, str], diffusion: DiffusionConfig) -> str:
    """Return the digest of all that decides what is made of a request, by the names of files."""
    text = "\n".join(f"{name} {digest}" for name, digest in sorted(hashes.items()))
    if diffusion.sigma_last is not None:  # weights from before there was one keep their identity
        text += f"\nsigma_last {diffusion.sigma_last}"
    return hashlib.sha256(text.encode()).hexdigest()
