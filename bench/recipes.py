"""What to ask a network for: short training runs at equal cost, one for each variant.

``python -m bench.recipes DATA... --teach MORE --out bench/results/recipes.json [--only wide ...]``

Every variant trains for the same processor time on one core, its learning rate falling to zero, and
is judged by `bench.by_sigma`. Short runs rank what is learned first, not where curves end.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from bench import record
from bench.by_sigma import loss_by_sigma
from galgen.training.batches import BatchSource
from galgen.training.cache import cache_folder
from galgen.training.config import Preset
from galgen.training.loop import Events, Progress, Trainer
from galgen.training.prepare import Prepared, prepare
from galgen.training.presets import get_preset

# Changes of preset `small`, by part of its configuration.
DEEP = {"model": {"widths": (64, 96, 128), "blocks": 2}}
NO_HEAD = {"detail_features": 0, "detail_width": 0}
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "chosen": {},
    "edm": {"diffusion": {"sigma_skip": None, "skip_power": 2.0}},
    "skip 0.1": {"diffusion": {"sigma_skip": 0.1, "skip_power": 2.0}},
    "no head": {"model": NO_HEAD},
    "deep": DEEP,
    "deep, edm, no head": {
        "model": DEEP["model"] | NO_HEAD,
        "diffusion": {"sigma_skip": None, "skip_power": 2.0},
    },
    "patch 2": {"model": {"patch": 2, "widths": (32, 64, 128)}},
    "noise -0.4, 1.4": {"diffusion": {"log_sigma_mean": -0.4, "log_sigma_std": 1.4}},
    "noise -0.6, 1.0": {"diffusion": {"log_sigma_mean": -0.6, "log_sigma_std": 1.0}},
    "rate 3e-3": {"train": {"learning_rate": 3e-3}},
    "rate 8e-4": {"train": {"learning_rate": 8e-4}},
    "batch 32": {"train": {"batch": 32}},
    "batch 128": {"train": {"batch": 128}},
    "balance 0": {"train": {"balance": 0.0}},
}


def variant(name: str) -> Preset:
    """Return the preset `small` with the changes of a variant."""
    preset = get_preset("small")
    train = {"images": 10**9, "warmup": 3000, "cooldown": 0.5, "ema_relative_width": 0.1}
    changes = {"train": train}
    for part, values in VARIANTS[name].items():
        changes[part] = changes.get(part, {}) | values
    return dataclasses.replace(
        preset,
        **{part: dataclasses.replace(getattr(preset, part), **c) for part, c in changes.items()},
    )


def run(name: str, prepared: Prepared, seconds: float) -> dict[str, Any]:
    """Train a variant; return its curve and its errors by noise level."""
    chosen, base = variant(name), prepared.preset
    data = {"bands": base.model.bands, "properties": base.model.properties}
    preset = dataclasses.replace(chosen, model=dataclasses.replace(chosen.model, **data))
    begun = time.process_time()

    def used() -> float:
        return (time.process_time() - begun) / seconds

    curve: list[tuple[int, float, float]] = []

    def report(progress: Progress) -> None:
        curve.append((progress.images, round(used() * seconds, 1), round(progress.loss, 5)))

    training, validation = (
        BatchSource(source.stamps, source.z_np, source.space, preset.train)
        for source in (prepared.training, prepared.validation)
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(preset, training, validation, Path(folder))
        nothing = lambda denoiser, images: None  # noqa: E731
        trainer.run(Events(lambda: used() >= 1, report, nothing, used))
    errors = loss_by_sigma(trainer.ema.module, prepared.space, validation.stamps, validation.z_np)
    return {
        "changes": VARIANTS[name],
        "parameters": sum(p.numel() for p in trainer.denoiser.parameters()),
        "images": trainer.images,
        "validation_loss": trainer.last_validation_loss,
        "errors": errors,
        "curve": curve,
    }


def main(
    data: Annotated[list[Path], typer.Argument(help="Training data.")],
    out: Annotated[Path, typer.Option(help="JSON to write, or to add to.")],
    teach: Annotated[list[Path] | None, typer.Option(help="Data that only teaches.")] = None,
    relabel: Annotated[Path | None, typer.Option(help="Corrected labels.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Variants; default: all.")] = None,
    seconds: Annotated[float, typer.Option(help="Processor time of each.")] = 300.0,
) -> None:
    """Train the variants one after the other."""
    torch.set_num_threads(1)
    kept = cache_folder()
    prepared = prepare(
        data, get_preset("small"), teach=teach or [], corrections=relabel, folders=[kept]
    )
    done = json.loads(out.read_text())["variants"] if out.exists() else {}
    for name in only or VARIANTS:
        done[name] = {"seconds": seconds} | run(name, prepared, seconds)
        print(name, done[name]["images"], done[name]["errors"], flush=True)
        record.save(out, {"variants": done})


if __name__ == "__main__":
    typer.run(main)
