"""What each part of the network is worth: short runs at equal FLOPs, images and seeds.

``python -m bench.ablation DATA... --teach MORE --cache FOLDER --out bench/results/ablation.json``

A reduced preset `small` with the Astro-RAB of the paper, with one branch of it alone, and as the
U-Net of DDPM, each as wide as the same FLOPs allow; and the first with other skip laws (`k` is
`sigma_skip`). Errors on held-out galaxies (`bench.by_sigma`) are compared galaxy by galaxy, so that
what galaxies have in common drops out. `--only` and `--seed` make some of the runs; those whose
errors are in the cache are not made again. So short a run ranks what is learned first.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import typer

from bench import record
from bench.bench_denoiser import flops_of
from bench.by_sigma import SIGMAS, judged, relative_errors
from galgen.model.config import Fusion, ModelConfig
from galgen.training.batches import BatchSource
from galgen.training.cache import cache_folder
from galgen.training.config import Preset
from galgen.training.ema import PowerEMA
from galgen.training.loop import Events, Trainer
from galgen.training.prepare import Prepared, prepare
from galgen.training.presets import get_preset

REFERENCE = "gated"
JUDGED = (0.1, 0.2, 0.4, 0.8, 1.6)  # levels whose relative errors are averaged: where shapes are
WIDTH = 0.1  # relative width of the average of weights that is judged
WIDTHS = (0.0, 0.02, 0.05, 0.1, 0.2)  # of averages of one run, 0 for none: of the reference
IMAGES = 16_384
SEEDS = (0, 1)


Runs = dict[int, dict[str, np.ndarray]]  # by seed, what `run` returns


class Variant(NamedTuple):
    """What is changed: fusion, the unit of width that makes FLOPs equal, and the skip law."""

    fusion: Fusion
    unit: int
    diffusion: Mapping[str, float | None]


VARIANTS = {
    "gated": Variant("gated", 24, {}),
    "conv": Variant("conv", 27, {}),
    "attention": Variant("attention", 30, {}),
    "plain": Variant("plain", 27, {}),
    "k = 0.5": Variant("gated", 24, {"sigma_skip": 0.5, "skip_power": 2.0}),  # EDM
    "k = 0.1": Variant("gated", 24, {"sigma_skip": 0.1, "skip_power": 2.0}),
}


def network(variant: Variant, base: ModelConfig) -> ModelConfig:
    """Return `base` with two, three and four heads in its stages, all of one width.

    The head at full resolution, which is not what is compared, is kept light.
    """
    unit = variant.unit
    return dataclasses.replace(
        base,
        detail_features=12,
        detail_width=24,
        detail_layers=1,
        fusion=variant.fusion,
        widths=(2 * unit, 3 * unit, 4 * unit),
        head_size=unit,
        group_size=unit,
        embedding=128,
    )


def preset_of(variant: Variant, base: Preset, seed: int, images: int) -> Preset:
    """Return how a variant is trained: the rate falls to zero over the second half."""
    train = dataclasses.replace(
        base.train,
        images=images,
        seed=seed,
        warmup=min(3000, images // 4),
        cooldown=0.5,
        light_share=0.0,  # errors are judged evenly
        preview_minutes=1e9,
        checkpoint_minutes=1e9,
    )
    return dataclasses.replace(
        base,
        model=network(variant, base.model),
        diffusion=dataclasses.replace(base.diffusion, **variant.diffusion),
        train=train,
    )


def run(name: str, prepared: Prepared, seed: int, images: int) -> dict[str, np.ndarray]:
    """Train a variant; return errors (galaxies, levels) by the width of the average."""
    preset = preset_of(VARIANTS[name], prepared.preset, seed, images)
    training, validation = (
        BatchSource(source.stamps, source.z_np, source.space, preset.train)
        for source in (prepared.training, prepared.validation)
    )
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(preset, training, validation, Path(folder))
        widths = WIDTHS[1:] if name == REFERENCE else (WIDTH,)
        averages = {width: PowerEMA(trainer.denoiser, width) for width in widths}

        def average() -> bool:  # asked between steps whether to stop
            for each in averages.values() if trainer.step else ():
                each.update(trainer.denoiser, trainer.step)
            return False

        nothing = lambda *_: None  # noqa: E731
        trainer.run(Events(average, nothing, nothing))
    average()  # after the last step
    seconds = time.process_time() - begun
    networks = {str(width): each.module for width, each in averages.items()}
    if name == REFERENCE:
        networks["0.0"] = trainer.denoiser.eval()
    rows = np.concatenate(list(judged(validation.stamps).values()))
    judging = prepared.space, validation.stamps, validation.z_np, rows
    errors = {width: relative_errors(net, *judging) for width, net in networks.items()}
    numbers = {"cpu_seconds": seconds, "validation_loss": trainer.last_validation_loss}
    return errors | {key: np.array(value) for key, value in numbers.items()}


def summary(errors_nl: np.ndarray, reference_nl: np.ndarray) -> np.ndarray:
    """Difference of each galaxy's relative errors, in units of the reference's mean; (n,).

    The mean over the levels of `JUDGED`, each in units of its own mean error, so that all levels
    have the same say.
    """
    levels = [SIGMAS.index(sigma) for sigma in JUDGED]
    difference_nl = (errors_nl - reference_nl) / reference_nl.mean(0)
    return difference_nl[:, levels].mean(1)


def compared(runs: list[np.ndarray], references: list[np.ndarray]) -> dict[str, float]:
    """Compare runs (n, levels) with references of the same seeds.

    Returns
    -------
    dict of str to float
        'difference' of mean errors, as a fraction; 'galaxies_error', its standard error by the
        choice of galaxies; 'seeds_error', by the seeds (none of a single one).
    """
    per_seed = [summary(a, b) for a, b in zip(runs, references, strict=True)]
    of_galaxies = np.mean(per_seed, 0)
    by_seed = [float(each.mean()) for each in per_seed]
    found = {
        "difference": float(np.mean(by_seed)),
        "galaxies_error": float(of_galaxies.std(ddof=1) / np.sqrt(len(of_galaxies))),
    }
    if len(by_seed) > 1:
        found["seeds_error"] = float(np.std(by_seed, ddof=1) / np.sqrt(len(by_seed)))
    return {name: round(value, 4) for name, value in found.items()}


def describe(name: str, done: Runs, base: ModelConfig) -> dict[str, Any]:
    """Return what a variant is, and its mean errors over seeds and galaxies."""
    variant = VARIANTS[name]
    model = network(variant, base)
    mean = np.mean([each[str(WIDTH)].mean(0) for each in done.values()], 0)
    return {
        "fusion": variant.fusion,
        "widths": model.widths,
        "diffusion": dict(variant.diffusion),
        "mflop": round(flops_of(model) / 1e6, 1),
        "seeds": list(done),
        "cpu_seconds": [round(float(each["cpu_seconds"])) for each in done.values()],
        "validation_loss": [round(float(each["validation_loss"]), 4) for each in done.values()],
        "errors": {str(s): float(f"{e:.4g}") for s, e in zip(SIGMAS, mean, strict=True)},
    }


def collect(every: Mapping[str, Runs], base: ModelConfig) -> dict[str, Any]:
    """Put together what has been run: variants, and averages of the reference's weights."""
    variants = {name: describe(name, done, base) for name, done in every.items()}
    reference, width = every.get(REFERENCE, {}), str(WIDTH)
    for name, done in every.items():
        both = [seed for seed in done if seed in reference]
        if name != REFERENCE and both:
            sides = ([runs[seed][width] for seed in both] for runs in (done, reference))
            variants[name] |= compared(*sides)
    with_width = [each[width] for each in reference.values()]
    averages = {
        str(other): compared([each[str(other)] for each in reference.values()], with_width)
        for other in WIDTHS
        if reference and other != WIDTH
    }
    return {"variants": variants, "averages": averages}


def in_cache(cache: Path, images: int) -> dict[str, Runs]:
    """Return runs whose errors are in the cache, by variant and seed."""
    every: dict[str, Runs] = {}
    for name in VARIANTS:
        for seed in SEEDS:
            path = run_path(cache, name, seed, images)
            if path.exists():
                with np.load(path) as known:
                    every.setdefault(name, {})[seed] = dict(known)
    return every


def run_path(cache: Path, name: str, seed: int, images: int) -> Path:
    """Where the errors of a run are kept."""
    return cache / f"ablation-{name.replace(' ', '')}-{seed}-{images}.npz"


def main(
    data: Annotated[list[Path], typer.Argument(help="Training data.")],
    cache: Annotated[Path, typer.Option(help="Folder for the errors of each run.")],
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    teach: Annotated[list[Path] | None, typer.Option(help="Data that only teaches.")] = None,
    relabel: Annotated[Path | None, typer.Option(help="Corrected labels.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Variants; default: all.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Default: all.")] = None,
    images: Annotated[int, typer.Option(help="Of each run.")] = IMAGES,
) -> None:
    """Make the runs that are missing, and compare all that are there."""
    torch.set_num_threads(1)
    prepared = prepare(
        data,
        get_preset("small"),
        teach=teach or [],
        corrections=relabel,
        folders=[cache_folder()],
    )
    cache.mkdir(parents=True, exist_ok=True)
    about = {
        "images": images,
        "batch": prepared.preset.train.batch,
        "galaxies": {k: len(rows) for k, rows in judged(prepared.validation.stamps).items()},
        "levels": JUDGED,
        "ema_relative_width": WIDTH,
    }
    for each in seed or SEEDS:
        for name in only or VARIANTS:
            path = run_path(cache, name, each, images)
            if not path.exists():
                np.savez(path, **run(name, prepared, each, images))
            found = collect(in_cache(cache, images), prepared.preset.model)
            record.save(out, about | found)
            print(name, each, found["variants"][name], flush=True)


if __name__ == "__main__":
    typer.run(main)
