"""Training on galaxies without their PSF: a run whose data are drawn anew from round to round.

Images show galaxies through a PSF A and with noise, y = A x + n. A loss on A D(x; sigma) alone does
not teach what x is like: the network has to be shown x with noise, and nobody has any x. So x is
drawn: given each image, and what the network of the round before holds for a galaxy. Another round
trains on these draws. That is expectation maximisation for a diffusion prior (Rozet et al. 2024,
arXiv:2405.13712); with exact draws, no round makes the observed images less likely. The draws of
the first round are those of a Gaussian model.

What the PSF has erased no data can bring back: there, galaxies are as the Gaussian model continues
them, smoothly.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from galgen.data.hdf5 import opened_hdf5
from galgen.errors import InvalidValueError, OutputError
from galgen.system.device import pick_device
from galgen.training.categories import choose_tree
from galgen.training.config import Preset
from galgen.training.drawn import Instrument, draw_galaxies
from galgen.training.gather import gather
from galgen.training.job import Trained, train
from galgen.training.loop import Progress
from galgen.training.runfolder import make_folder, refuse_another_run

ROUNDS = 3  # the third changes little (bench/results/intrinsic.json)


def train_intrinsic(
    data: Sequence[Path],
    preset: Preset,
    out: Path,
    *,
    psf_fwhm: tuple[float, ...],
    noise: tuple[float, ...],
    teach: Sequence[Path] = (),
    relabel: Path | None = None,
    max_seconds: float | None = None,
    resume: bool = False,
    size: int | None = None,
    categories: str | Path | None = None,
    init: Path | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    notice: Callable[[str], None] = lambda text: None,
    **options: Any,
) -> Trained:
    """Train a network on galaxies as they are before a known PSF, in rounds.

    Parameters
    ----------
    data, preset, out, relabel, max_seconds, resume, size, categories, init, report, notice
        See `galgen.training.job.train`. Images and time are for all rounds together; the data is
        flux with a pixel scale. Rounds but the last have folders ``round-1`` ... in `out`, and
        galaxies are kept in ``galaxies-1.h5`` ... there.
    psf_fwhm : tuple of float
        FWHM of the Gaussian PSF that the data is seen through, arcsec, for all bands or for each.
    noise : tuple of float
        Standard deviation per pixel of the noise of the data in its flux unit, likewise; of pixels
        of stamps of `size`.
    teach : sequence of Path
        None, as galaxies that only teach were seen through another PSF.
    **options
        Other options of `galgen.training.job.train`.

    Returns
    -------
    Trained
        As of `galgen.training.job.train`; of the round that was under way, where time was out.

    Raises
    ------
    InvalidValueError
        If the data is no flux or has no pixel scale, PSF or noise cannot be, or there is data that
        only teaches.
    OutputError
        If `out` holds another run and `resume` is false, or cannot be made.
    DataError, WeightsError, NonFiniteOutputError, WorkerLostError, InterruptedRunError
        As `galgen.training.job.train`.
    """
    started = time.monotonic()
    if not resume:
        refuse_another_run(out, _galaxies(out, 1), out / "checkpoint.safetensors")
    if teach:
        raise InvalidValueError("teach", [path.name for path in teach], "none, with a PSF")
    tree = choose_tree(categories, data)
    observed = gather(data, (), size, relabel, tree)
    instrument = Instrument.of(observed, psf_fwhm, noise)
    seen = ", ".join(path.name for path in data)
    taken, sky = (", ".join(f"{value:g}" for value in values) for values in (psf_fwhm, noise))
    source = f"{seen}, without its PSF of {taken} arcsec and noise of {sky}"
    _check_same(out, source)
    share = dataclasses.replace(preset.train, images=-(-preset.train.images // ROUNDS))
    # Galaxies without noise have detail down to any level.
    diffusion = dataclasses.replace(preset.diffusion, sigma_last=None)
    preset = dataclasses.replace(preset, train=share, diffusion=diffusion)
    device = pick_device(options.get("device"))
    make_folder(out)
    first = max((k for k in range(1, ROUNDS + 1) if _galaxies(out, k).exists()), default=1)
    weights = out / f"round-{first - 1}" / "weights" if first > 1 else init
    for k in range(first, ROUNDS + 1):
        if not _galaxies(out, k).exists():
            notice(f"round {k} of {ROUNDS}: drawing {len(observed):,} galaxies without their PSF")
            previous = (weights, _galaxies(out, k - 1)) if k > 1 and weights else None
            generator = torch.Generator(device).manual_seed(preset.train.seed * ROUNDS + k)
            path = _galaxies(out, k)
            kept = draw_galaxies(observed, instrument, previous, path, source, generator)
            if kept:
                notice(f"round {k}: {kept:,} galaxies stay as drawn before, which fits better")
        left = None
        if max_seconds is not None:
            spent = time.monotonic() - started
            left = max(0.0, (max_seconds - spent) / (ROUNDS + 1 - k))

        def so_far(progress: Progress, before: int = (k - 1) * share.images) -> None:
            seen, total = progress.images + before, ROUNDS * share.images
            report(dataclasses.replace(progress, images=seen, total=total))

        trained = train(
            [_galaxies(out, k)],
            preset,
            out if k == ROUNDS else out / f"round-{k}",
            max_seconds=left,
            resume=True,
            categories=tree,
            init=weights,
            report=so_far,
            notice=notice,
            source=source,
            **options,
        )
        done = (k - 1) * share.images + trained.images
        trained = dataclasses.replace(trained, images=done, total=ROUNDS * share.images)
        if trained.interrupted:
            break
        weights = trained.weights
    return trained


def _check_same(out: Path, source: str) -> None:
    """Refuse to go on with a run of other data, or of another PSF or noise."""
    path = _galaxies(out, 1)
    if path.exists():
        with opened_hdf5(path) as file:
            theirs = file.attrs.get("source")
        if theirs != source:
            raise OutputError(
                f"{out}: its galaxies are of {theirs}, this run's are of {source}; name another "
                "folder."
            )


def _galaxies(out: Path, round_: int) -> Path:
    """Where the galaxies of a round are kept."""
    return out / f"galaxies-{round_}.h5"
