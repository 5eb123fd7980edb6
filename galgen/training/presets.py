"""Named presets: each is a function that returns a complete, validated `Preset`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from galgen.diffusion.config import DiffusionConfig
from galgen.errors import InvalidValueError
from galgen.model.config import Fusion, ModelConfig
from galgen.training.config import Preset, TrainConfig

# The sky's noise is about 0.1 in model space, the finest detail of galaxies about 0.02. Training
# levels reach well below both. Samplers stop between them: below, a network that cannot tell detail
# from noise leaves noise in (docs/why-told-apart.md). The skip law is that of docs/recipe.md.
GALAXY_NOISE = DiffusionConfig(
    sigma_skip=0.25,
    skip_power=4.0,
    sigma_min=0.005,
    sigma_last=0.05,
    sigma_max=40.0,
    log_sigma_mean=-1.2,
    log_sigma_std=1.3,
)


def paper() -> Preset:
    """Return the design of arXiv:2506.16255 as far as known, trained as Ho et al. (2020) do."""
    return Preset(
        "paper",
        ModelConfig(patch=1, widths=(64, 128, 256)),
        DiffusionConfig(preconditioning="vp"),
        TrainConfig(optimizer="adamw", learning_rate=2e-4, cooldown=0.0, weight_decay=0.0),
    )


def fast() -> Preset:
    """Return a few-step production model for a GPU, with a 2x2 space-to-depth stem."""
    return Preset("fast", ModelConfig(patch=2, widths=(96, 192, 256), embedding=512), GALAXY_NOISE)


def small() -> Preset:
    """Return a model for CPUs: 4x4 space-to-depth stem, few wide blocks, full-resolution head."""
    return Preset(
        "small",
        ModelConfig(
            patch=4,
            widths=(128, 192, 256),
            blocks=1,
            embedding=256,
            detail_features=16,
            detail_width=48,
            detail_layers=3,
        ),
        GALAXY_NOISE,
        TrainConfig(
            images=4_000_000,
            batch=64,
            warmup=10_000,
            learning_rate=1.5e-3,
            balance=0.6,
            light_share=0.5,
            preview_minutes=20.0,
        ),
    )


def tiny() -> Preset:
    """Return a model for tests, which has all that the others have at the smallest size."""
    return Preset(
        "tiny",
        ModelConfig(patch=4, widths=(32, 32, 32), blocks=1, embedding=32),
        train=TrainConfig(images=2_000, batch=8, warmup=100),
    )


PRESETS: dict[str, Callable[[], Preset]] = {f.__name__: f for f in (paper, fast, small, tiny)}


def get_preset(name: str, fusion: Fusion | None = None) -> Preset:
    """Return the preset called `name`, a key of `PRESETS`, or with another fusion for ablations.

    Raises
    ------
    InvalidValueError
        If there is no such preset.
    """
    if name not in PRESETS:
        raise InvalidValueError("preset", name, ", ".join(PRESETS))
    preset = PRESETS[name]()
    if fusion is not None:
        preset = dataclasses.replace(preset, model=dataclasses.replace(preset.model, fusion=fusion))
    return preset
