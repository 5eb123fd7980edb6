"""One call of `galgen train`, from data files to exported weights."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from galgen.categories.taxonomy import Taxonomy
from galgen.diffusion.denoiser import Denoiser
from galgen.system.device import device_kind, pick_device
from galgen.system.files import written_aside
from galgen.system.signals import StopRequest
from galgen.training.batches import BatchSource
from galgen.training.cache import cache_folder
from galgen.training.card import card_text, make_card
from galgen.training.categories import choose_tree
from galgen.training.config import Preset
from galgen.training.grid import save_sample_grid
from galgen.training.group import Group
from galgen.training.loop import Events, Progress, Trainer
from galgen.training.prepare import Prepared, prepare
from galgen.training.runfolder import make_folder, refuse_another_run
from galgen.training.start import start_from
from galgen.training.workers import count_workers, together
from galgen.weights.checkpoint import Checkpoint, export


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
    teach: Sequence[Path] = (),
    relabel: Path | None = None,
    max_seconds: float | None = None,
    resume: bool = False,
    size: int | None = None,
    categories: str | Path | Taxonomy | None = None,
    device: str | None = None,
    compile: bool = False,
    workers: int | None = None,
    init: Path | None = None,
    name: str | None = None,
    credit: str = "not stated",
    source: str | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    notice: Callable[[str], None] = lambda text: None,
    measuring: Callable[[int, int], None] = lambda done, total: None,
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
        ``weights/``, which is renewed with every picture. Made if missing.
    teach : sequence of Path
        Likewise, but their galaxies teach the network only: catalogues do not inherit them.
    relabel : Path, optional
        Table of corrected labels, see `galgen.data.relabel.relabel`.
    max_seconds : float, optional
        Stop, save and export after this long, preparation included. The learning rate then falls
        to zero at the end of the time, or of the images if they are seen before.
    resume : bool
        Continue from the checkpoint in `out`; without one, start.
    size : int, optional
        Side of the stamps, if other than the data's.
    categories : str, Path or Taxonomy, optional
        Categories other than galgen's own: a YAML file of the tree (`galgen.categories.treefile`),
        'folders' for the names of the folders in the data, or a tree.
    device : str, optional
        Torch device; a GPU if there is one.
    compile : bool
        Compile the network.
    workers : int, optional
        Processes that share each batch, one thread each; by default one per core of a CPU.
    init : Path, optional
        Folder of exported weights to start from, where no run is resumed.
    name, credit : str
        Name of the weights (default: the folder's) and credit of the data, for the model card.
    source : str, optional
        What the data is, for the model card; by default the names of its files.
    report : callable
        Given a `Progress` every ten seconds.
    notice : callable
        Given what else the user should know, a line at a time.
    measuring : callable
        Given how many galaxies have been measured, and of how many, before training begins.

    Returns
    -------
    Trained
        Where the weights are, and how far the run has come.

    Raises
    ------
    OutputError
        If `out` holds another run and `resume` is false, or cannot be made.
    DataError, WeightsError, InvalidValueError, NonFiniteOutputError, WorkerLostError
        If the data, the checkpoint or the settings cannot be used, training diverges, or one of the
        processes ends.
    InterruptedRunError
        If time is out before all galaxies have been measured; what had been measured is kept.
    """
    started = time.monotonic()
    checkpoint = out / "checkpoint.safetensors"
    if not resume:
        refuse_another_run(out, checkpoint)
    chosen = pick_device(device)

    def out_of_time() -> bool:
        return max_seconds is not None and time.monotonic() - started >= max_seconds

    prepared = prepare(
        data,
        preset,
        size,
        tree=choose_tree(categories, [*data, *teach]),
        teach=teach,
        corrections=relabel,
        folders=(cache_folder(), out / "measured"),
        report=measuring,
        stop=out_of_time,
    )
    prepared = prepared if source is None else dataclasses.replace(prepared, source=source)
    make_folder(out)
    preset = prepared.preset
    size_of_group = count_workers(chosen, workers, preset.train.batch)
    resumed = checkpoint.exists()
    where = preset, prepared.training, prepared.validation, out
    start = None if resumed else init
    name = name or out.resolve().name

    def publish(denoiser: Denoiser, images: int) -> None:
        """Weights first: if time runs out, a picture is what there is no time for."""
        loss, made_on = trainer.last_validation_loss, device_kind(chosen)
        card = make_card(name, preset, prepared, images, loss, credit, made_on)
        final = Checkpoint(denoiser, prepared.space, prepared.population, prepared.size, card)
        export(final, out / "weights", card_text(card, prepared))
        save_sample_grid(out / f"samples-{images:09d}.png", denoiser, prepared, chosen)

    with together(size_of_group, _help, *where, resumed, start) as group, StopRequest() as stop:
        trainer = Trainer(*where, chosen, compile=compile, group=group)
        for line in _begin(trainer, resumed, start):
            notice(line)
        _record(out, prepared, data, teach, relabel)
        begun = time.monotonic()

        def time_used() -> float:
            if max_seconds is None:
                return 0.0
            given = max_seconds - (begun - started)
            return (time.monotonic() - begun) / given if given > 0 else 1.0

        def asked_to_stop() -> bool:
            return stop.requested or time_used() >= 1

        trainer.run(Events(asked_to_stop, report, publish, time_used))
        interrupted = stop.requested
    publish(trainer.ema.module, trainer.images)
    loss = trainer.last_validation_loss
    return Trained(out / "weights", trainer.images, preset.train.images, loss, interrupted)


def _help(
    group: Group,
    preset: Preset,
    training: BatchSource,
    validation: BatchSource,
    out: Path,
    resumed: bool,
    start: Path | None,
) -> None:
    """Share the steps of a training run that process 0 leads."""
    trainer = Trainer(preset, training, validation, out, group=group)
    _begin(trainer, resumed, start)
    trainer.run(Events(lambda: False, lambda progress: None, lambda denoiser, images: None))


def _begin(trainer: Trainer, resumed: bool, start: Path | None) -> list[str]:
    """Bring a trainer to where its run begins; return what is to be said about it."""
    if resumed:
        trainer.resume()
    elif start is not None:
        afresh = start_from(start, trainer.denoiser)
        trainer.forget_average()
        if afresh:
            return [f"{start}: {len(afresh)} parameters start afresh: {', '.join(afresh)}"]
    return []


def _record(
    out: Path,
    prepared: Prepared,
    data: Sequence[Path],
    teach: Sequence[Path],
    relabel: Path | None,
) -> None:
    """Keep the configuration of the run beside its results."""
    preset = prepared.preset
    config = {
        "preset": preset.name,
        "model": preset.model.to_json(),
        "diffusion": preset.diffusion.to_json(),
        "train": preset.train.to_json(),
        "data": [path.name for path in data],
        "teach": [path.name for path in teach],
        "relabel": relabel.name if relabel else None,
        "categories": prepared.population.tree.to_json(),
    }
    text = json.dumps(config, indent=1) + "\n"
    with written_aside(out / "run.json") as aside:
        aside.write_text(text)
