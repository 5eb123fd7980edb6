"""Training: `train` does everything from data files to exported weights."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from galgen.checkpoint import Checkpoint, export
from galgen.config import Preset
from galgen.device import device_kind, pick_device
from galgen.errors import OutputError
from galgen.output import write_atomically
from galgen.signals import StopRequest
from galgen.taxonomy import Taxonomy
from galgen.training.card import card_text, make_card
from galgen.training.categories import choose_tree
from galgen.training.grid import save_sample_grid
from galgen.training.loop import Events, Progress, Trainer
from galgen.training.prepare import prepare

__all__ = ["Progress", "Trained", "train"]


@dataclass(frozen=True)
class Trained:
    """How a call of `train` ended.

    Attributes
    ----------
    weights : Path
        Folder of the exported weights.
    images, total : int
        Training images seen, and the length of the run.
    validation_loss : float
        Loss of the averaged network on held-out galaxies.
    interrupted : bool
        Stopped by a signal rather than by completion or the time limit.
    """

    weights: Path
    images: int
    total: int
    validation_loss: float
    interrupted: bool


def train(
    data: Sequence[Path],
    preset: Preset,
    out: Path,
    *,
    max_seconds: float | None = None,
    resume: bool = False,
    size: int | None = None,
    categories: str | Path | Taxonomy | None = None,
    device: str | None = None,
    compile: bool = False,
    name: str | None = None,
    credit: str = "not stated",
    report: Callable[[Progress], None] = lambda progress: None,
) -> Trained:
    """Train a network, or go on training it, and export its averaged weights.

    Parameters
    ----------
    data : sequence of Path
        Anything `galgen.data.open_stamps` reads; several are joined.
    preset : Preset
        Network, diffusion and training configuration.
    out : Path
        Folder of the run: ``checkpoint.safetensors``, ``loss.csv``, ``samples-*.png``,
        ``weights/``. Made if missing.
    max_seconds : float, optional
        Stop, save and export after this long, preparation included.
    resume : bool
        Continue from the checkpoint in `out`; without one, start.
    size : int, optional
        Side of the stamps, if other than the data's.
    categories : str, Path or Taxonomy, optional
        Categories other than galgen's own: a YAML file of the tree (`galgen.treefile`), 'folders'
        for the names of the folders in the data, or a tree.
    device : str, optional
        Torch device; a GPU if there is one.
    compile : bool
        Compile the network.
    name, credit : str
        Name of the weights (default: the folder's) and credit of the data, for the model card.
    report : callable
        Given a `Progress` every ten seconds.

    Raises
    ------
    OutputError
        If `out` holds another run and `resume` is false, or cannot be made.
    DataError, WeightsError, InvalidValueError, NonFiniteOutputError
        If the data, the checkpoint or the settings cannot be used, or training diverges.
    """
    started = time.monotonic()
    checkpoint = out / "checkpoint.safetensors"
    if checkpoint.exists() and not resume:
        raise OutputError(f"{out}: holds a run already; add --resume or name another folder.")
    chosen = pick_device(device)
    prepared = prepare(data, preset, size, choose_tree(categories, data))
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be made ({error.strerror}).") from error
    preset = prepared.preset
    trainer = Trainer(preset, prepared.training, prepared.validation, out, chosen, compile=compile)
    if checkpoint.exists():
        trainer.resume()
    _record(out, preset, data, prepared.population.tree)

    def out_of_time() -> bool:
        return max_seconds is not None and time.monotonic() - started >= max_seconds

    def save_samples(denoiser: torch.nn.Module, images: int) -> None:
        save_sample_grid(out / f"samples-{images:09d}.png", denoiser, prepared, chosen)

    with StopRequest() as stop:
        trainer.run(Events(lambda: stop.requested or out_of_time(), report, save_samples))
        interrupted = stop.requested
    loss = trainer.last_validation_loss
    save_samples(trainer.ema.module, trainer.images)
    card = make_card(
        name or out.resolve().name,
        preset,
        prepared,
        trainer.images,
        loss,
        credit,
        device_kind(chosen),
    )
    final = Checkpoint(trainer.ema.module, prepared.space, prepared.population, prepared.size, card)
    export(final, out / "weights", card_text(card, prepared))
    return Trained(out / "weights", trainer.images, preset.train.images, loss, interrupted)


def _record(out: Path, preset: Preset, data: Sequence[Path], tree: Taxonomy) -> None:
    """Keep the configuration of the run beside its results."""
    config = {
        "preset": preset.name,
        "model": preset.model.to_json(),
        "diffusion": preset.diffusion.to_json(),
        "train": preset.train.to_json(),
        "data": [path.name for path in data],
        "categories": tree.to_json(),
    }
    text = json.dumps(config, indent=1) + "\n"
    write_atomically(out / "run.json", lambda aside: aside.write_text(text))
