"""Galaxies of a round of training through a PSF: all of them drawn, and kept in a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from galgen.data import StampSet, open_stamps
from galgen.data.catalogtable import NUMBERS
from galgen.errors import InvalidValueError
from galgen.generate.observe import FWHM, Observation, Observing
from galgen.model.embedding import Condition
from galgen.pixels.space import PixelSpace
from galgen.system.files import written_aside
from galgen.training.blur import Blur, power
from galgen.training.posterior import DenoiserPrior, draw_posterior
from galgen.training.wiener import GaussianGalaxies
from galgen.weights import checkpoint

_STEPS = 16  # noise levels of a draw
_BATCH = 128  # galaxies drawn at a time
_SAMPLE = 4096  # galaxies that mean and power are measured on
_WORSE = 2.0  # times: a draw that fits its image so much worse than the last one is none


@dataclass(frozen=True)
class Instrument:
    """What images were seen through.

    Attributes
    ----------
    blur : Blur
        The PSF.
    noise_b : tuple of float
        Standard deviation of the noise of each band.
    """

    blur: Blur
    noise_b: tuple[float, ...]

    @classmethod
    def of(
        cls, observed: StampSet, psf_fwhm: tuple[float, ...], noise: tuple[float, ...]
    ) -> Instrument:
        """Check PSF and noise, and bring them to the pixels of the data.

        Parameters
        ----------
        observed : StampSet
            The images.
        psf_fwhm : tuple of float
            FWHM of a Gaussian in arcsec, for all bands or for each.
        noise : tuple of float
            Standard deviation per pixel in the flux unit of the images, likewise.

        Raises
        ------
        InvalidValueError
            If the images are no flux or have no pixel scale, or PSF or noise cannot be.
        """
        if observed.native != "flux":
            hint = "What a PSF does is linear in flux: 8-bit images do not say what it was."
            raise InvalidValueError("pixels of the data", observed.native, "flux, for a PSF", hint)
        if observed.pixel_scale is None:
            hint = "A PSF is the same only where a pixel is: give data of one pixel scale."
            raise InvalidValueError("pixel scale of the data", None, "arcsec, for a PSF", hint)
        bands, side = observed.bands, min(observed.pixels.shape[1:3])
        flat = (0.0,) * len(bands), (1.0,) * len(bands)
        space = PixelSpace("flux", bands, 1.0, *flat, pixel_scale=observed.pixel_scale)
        given = Observation.of(Observing(psf=psf_fwhm, noise=noise), space)
        widest = observed.pixel_scale * side / 4
        if not given.psf_b or max(given.psf_b) > widest:
            allowed = f"above 0, up to {widest:.3g} arcsec, a quarter of a stamp"
            raise InvalidValueError("psf_fwhm", psf_fwhm, allowed)
        if not given.noise_b or min(given.noise_b) <= 0:
            raise InvalidValueError("noise", noise, "above 0: without any, no image is likely")
        sigma_b = [fwhm / FWHM / observed.pixel_scale for fwhm in given.psf_b]
        return cls(Blur(sigma_b, *observed.pixels.shape[1:3]), given.noise_b)


def draw_galaxies(
    observed: StampSet,
    instrument: Instrument,
    previous: tuple[Path, Path] | None,
    path: Path,
    source: str,
    generator: torch.Generator,
) -> int:
    """Draw all galaxies and write them: after a Gaussian model, or weights and what they learned.

    Parameters
    ----------
    observed, instrument
        The images, and what they were seen through.
    previous : (Path, Path) or None
        Weights, and the galaxies that they were trained on, of the round before.
    path : Path
        File to write, as `galgen.data.flux.read_flux_hdf5` reads it.
    source : str
        What it is made of.
    generator : torch.Generator
        Source of randomness, on the device to work on.

    Returns
    -------
    int
        Galaxies that stay as they are in `previous`, as a draw that fits its image is not found.
    """
    kept = 0
    n, (h, w, b) = len(observed), observed.pixels.shape[1:]
    with written_aside(path) as aside, h5py.File(aside, "w") as file, torch.no_grad():
        file["category"] = observed.category
        file["id"], file["group"] = observed.ids.tolist(), observed.group.tolist()
        for name in NUMBERS:
            if name in observed.columns and observed.columns[name].dtype.kind == "f":
                file[name] = observed.columns[name]
        file.attrs.update(
            bands=list(observed.bands),
            unit=observed.unit,
            pixel_scale=observed.pixel_scale,
            stamp_psf=0.0,
            sky_noise=instrument.noise_b,
            source=source,
        )
        flux = file.create_dataset("flux", (n, b, h, w), np.float32)
        draw = _drawer(observed, instrument, previous, generator)
        for start in range(0, n, _BATCH):
            rows = slice(start, min(start + _BATCH, n))
            drawn_nhwb, good_n = draw(rows)
            flux[rows] = drawn_nhwb.permute(0, 3, 1, 2).cpu().numpy()
            kept += int((~good_n).sum())
    return kept


def _drawer(
    observed: StampSet,
    instrument: Instrument,
    previous: tuple[Path, Path] | None,
    generator: torch.Generator,
) -> Callable[[slice], tuple[Tensor, Tensor]]:
    """Make what draws some of the galaxies, and says which of them are new; see `draw_galaxies`."""
    device, blur = generator.device, instrument.blur
    noise_b = torch.tensor(instrument.noise_b, device=device)
    some = slice(None, None, -(-len(observed) // _SAMPLE))
    if previous is None:
        model = GaussianGalaxies(observed.flux(some), blur, noise_b)

        def first(rows: slice) -> tuple[Tensor, Tensor]:
            drawn_nhwb = model.draw(observed.flux(rows).to(device), generator)
            return drawn_nhwb, torch.ones(len(drawn_nhwb), dtype=torch.bool)

        return first
    loaded = checkpoint.load(previous[0], device)
    space, guesses = loaded.space, open_stamps(previous[1], tree=observed.tree)
    sigmas = loaded.denoiser.preconditioning.sampling_sigmas(_STEPS, ancestral=False)
    x_nhwc = space.encode(guesses.flux(some))
    prior = DenoiserPrior(loaded.denoiser, space, power(x_nhwc - x_nhwc.mean(0)).to(device), sigmas)

    def draw(rows: slice) -> tuple[Tensor, Tensor]:
        guess_nhwb, seen_nhwb = (s.flux(rows).to(device) for s in (guesses, observed))
        code_n = torch.from_numpy(observed.category[rows].astype(np.int64)).to(device)
        # What a galaxy measures is not known: it is what the draw is to say.
        nothing_np = torch.full((len(code_n), len(loaded.population.names)), torch.nan).to(device)
        condition = Condition(code_n, nothing_np)
        drawn_nhwb = draw_posterior(
            prior, condition, seen_nhwb, guess_nhwb, blur, noise_b, generator
        )
        misfit, before = (
            (blur(f) - seen_nhwb).div(noise_b).square().mean((1, 2, 3))
            for f in (drawn_nhwb, guess_nhwb)
        )
        good_n = drawn_nhwb.isfinite().all((1, 2, 3)) & (misfit < _WORSE * before)
        return torch.where(good_n[:, None, None, None], drawn_nhwb, guess_nhwb), good_n

    return draw
