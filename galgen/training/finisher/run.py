"""One training run of a finisher, from data files and weights to weights that have one."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from galgen.data import StampSet
from galgen.diffusion.denoiser import Denoiser
from galgen.diffusion.preconditioning import make_preconditioning
from galgen.errors import InvalidValueError
from galgen.request.population import TEACH
from galgen.system.device import pick_device
from galgen.system.signals import StopRequest
from galgen.training.cache import cache_folder
from galgen.training.config import Preset, TrainConfig
from galgen.training.finisher.config import FinisherConfig
from galgen.training.finisher.states import sample_states
from galgen.training.finisher.trainer import FinisherTrainer
from galgen.training.group import Group
from galgen.training.prepare import prepare
from galgen.training.runfolder import make_folder, refuse_another_run
from galgen.training.workers import count_workers, together
from galgen.weights.checkpoint import Checkpoint, export, load
from galgen.weights.folder import CARD

_ABOUT = "\n## Finisher\n"  # in a model card


@dataclass(frozen=True)
class Finished:
    """How a call of `train_finisher` ended.

    Attributes
    ----------
    weights : Path
        Folder of the exported weights.
    images, total : int
        Galaxies that the finisher has made, and the length of the run.
    interrupted : bool
        Stopped by a signal rather than by completion or the time limit.
    """

    weights: Path
    images: int
    total: int
    interrupted: bool


def train_finisher(
    data: Sequence[Path],
    weights: Path,
    out: Path,
    config: FinisherConfig | None = None,
    *,
    teach: Sequence[Path] = (),
    relabel: Path | None = None,
    max_seconds: float | None = None,
    resume: bool = False,
    device: str | None = None,
    workers: int | None = None,
    report: Callable[[Mapping[str, float]], None] = lambda values: None,
    measuring: Callable[[int, int], None] = lambda done, total: None,
) -> Finished:
    """Train a finisher for weights and export both together.

    Parameters
    ----------
    data, teach, relabel
        What the weights were trained on, see `galgen.training.train`. Galaxies that only teach, and
        those that were held out, are not learned from.
    weights : Path
        Folder of exported weights; a finisher that they have is trained on.
    out : Path
        Folder of the run: ``checkpoint.safetensors``, ``finisher.csv`` and ``weights/``.
    config : FinisherConfig, optional
        How to train.
    max_seconds : float, optional
        End, save and export after this long, measuring and sampling included.
    resume : bool
        Continue the run in `out`, if there is one.
    device : str, optional
        Where to train; a GPU if there is one.
    workers : int, optional
        Processes that share each batch; one per core of a CPU.
    report : callable
        Given a row of the log every ten seconds.
    measuring : callable
        Given how many galaxies have been measured, and of how many.

    Returns
    -------
    Finished
        Where the weights are, and how far the run has come.

    Raises
    ------
    OutputError
        If `out` holds another run and `resume` is false, or cannot be made.
    DataError, WeightsError, InvalidValueError, NonFiniteOutputError, WorkerLostError
        If the data, the weights or the settings cannot be used, training diverges, or one of the
        processes ends.
    InterruptedRunError
        If time is out before all galaxies have been measured; what had been measured is kept.
    MissingPackageError
        If the extra ``evaluate`` is not installed and the configuration needs it.
    """
    started, config = time.monotonic(), config or FinisherConfig()
    kept = out / "checkpoint.safetensors"
    if not resume:
        refuse_another_run(out, kept)
    resumed = kept.exists()
    chosen = pick_device(device)

    def out_of_time() -> bool:
        return max_seconds is not None and time.monotonic() - started >= max_seconds

    checkpoint = load(weights, chosen)
    check_level(config.level, checkpoint.denoiser)
    stamps, z_np = training_galaxies(
        checkpoint, data, teach, relabel, (cache_folder(), out / "measured"), measuring, out_of_time
    )
    make_folder(out)
    size = count_workers(chosen, workers, min(config.parts))
    given = stamps, z_np, config, out, resumed
    with together(size, _help, weights, *given) as group:
        trainer = _begin(group, checkpoint, *given)
        with StopRequest() as stop:
            trainer.run(lambda: stop.requested or out_of_time(), report)
            interrupted = stop.requested
    finished = with_finisher(checkpoint, trainer.average, config, trainer.images)
    export(finished, out / "weights", _card_text(weights, config, trainer.images))
    return Finished(out / "weights", trainer.images, config.images, interrupted)


def with_finisher(
    checkpoint: Checkpoint, finisher: Denoiser, config: FinisherConfig, images: int
) -> Checkpoint:
    """Return a checkpoint whose samplers end with a finisher.

    Parameters
    ----------
    checkpoint : Checkpoint
        Of the denoiser; its denoiser is changed in place.
    finisher : Denoiser
        Whose network takes the last step.
    config : FinisherConfig
        How it was trained; its level becomes the last that samplers visit.
    images : int
        How many galaxies it has made.
    """
    denoiser = checkpoint.denoiser
    denoiser.finisher = finisher.net
    denoiser.config = dataclasses.replace(denoiser.config, sigma_last=config.level)
    denoiser.preconditioning = make_preconditioning(denoiser.config)
    provenance: dict[str, Any] = config.to_json() | {"images_seen": images}
    card = checkpoint.card | {"finisher": provenance, "denoiser": checkpoint.sha256}
    return dataclasses.replace(checkpoint, card=card)


def check_level(level: float, denoiser: Denoiser) -> None:
    """Refuse a level that samplers of a denoiser cannot stop at.

    Raises
    ------
    InvalidValueError
        If it is outside the denoiser's levels, or these are the steps of a DDPM.
    """
    config = denoiser.config
    if config.preconditioning != "edm":
        raise InvalidValueError("preconditioning", config.preconditioning, "edm, for a finisher")
    low, high = denoiser.preconditioning.sigma_range
    if not low <= level < high:
        raise InvalidValueError("level", level, f"{low} to below {high}")


def training_galaxies(
    checkpoint: Checkpoint,
    data: Sequence[Path],
    teach: Sequence[Path] = (),
    relabel: Path | None = None,
    folders: Sequence[Path] = (),
    measuring: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[StampSet, np.ndarray]:
    """Return the galaxies that weights were trained on, without those that only teach.

    Parameters
    ----------
    checkpoint : Checkpoint
        The weights. The same galaxies are held out as when they were trained.
    data, teach, relabel
        See `train_finisher`.
    folders : sequence of Path
        Where measurements are kept.
    measuring, stop : callable
        See `galgen.training.measured.measured_properties`.

    Returns
    -------
    stamps : StampSet
        The galaxies.
    z_np : ndarray (N, p)
        Their properties, standardised as the weights have them.

    Raises
    ------
    InvalidValueError
        If bands, kind of pixels or properties are not those of the weights.
    """
    model, population = checkpoint.denoiser.net.config, checkpoint.population
    held_out = checkpoint.card.get("train", {}).get("validation", TrainConfig.validation)
    prepared = prepare(
        data,
        Preset("finisher", model, train=TrainConfig(validation=held_out)),
        checkpoint.size,
        tree=checkpoint.tree,
        teach=teach,
        corrections=relabel,
        folders=folders,
        report=measuring,
        stop=stop,
    )
    for what, found, wanted in (
        ("bands", prepared.space.bands, checkpoint.space.bands),
        ("native pixels", prepared.space.native, checkpoint.space.native),
        ("properties", prepared.population.names, population.names),
    ):
        if found != wanted:
            hint = "Give the data that the weights were trained on."
            raise InvalidValueError(
                f"{what} of the data", found, f"{wanted}, as weights have", hint
            )
    source = prepared.training
    values_np = np.stack(
        [
            prepared.population.values(n, z)
            for n, z in zip(population.names, source.z_np.T, strict=True)
        ],
        axis=1,
    )
    rows = source.stamps.columns[TEACH] == 0
    return source.stamps.select(rows), population.standardised(values_np[rows])


def _help(group: Group, weights: Path, *given: Any) -> None:
    """Share the steps of a run that process 0 leads."""
    _begin(group, load(weights), *given).run(lambda: False)


def _begin(
    group: Group,
    checkpoint: Checkpoint,
    stamps: StampSet,
    z_np: np.ndarray,
    config: FinisherConfig,
    out: Path,
    resumed: bool,
) -> FinisherTrainer:
    """Sample states, and bring a trainer to where its run begins."""
    states = sample_states(
        checkpoint.denoiser,
        stamps.category,
        z_np,
        checkpoint.size,
        level=config.level,
        samplers=config.samplers,
        n=config.states,
        balance=config.balance,
        seed=config.seed,
        group=group,
    )
    trainer = FinisherTrainer(checkpoint, stamps, z_np, states, config, out, group=group)
    if resumed:
        trainer.resume()
    return trainer


def _card_text(weights: Path, config: FinisherConfig, images: int) -> str:
    """Return the denoiser's model card with a word on the finisher."""
    path = weights / CARD
    card = path.read_text() if path.exists() else ""
    card, _, _ = card.partition(_ABOUT)  # of the finisher that training began from
    return f"""{card}{_ABOUT}
Samplers stop at noise level {config.level:g}. From there a finisher, a second network that was
trained as the generator of an adversarial network, takes the last step. It has made {images}
galaxies in training, and learned from the training galaxies, without those that only teach.
"""
