"""From the sampler's stamps to what a catalogue takes: flux in host memory, measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from galgen.generate.observe import Observation
from galgen.generate.plausible import are_plausible, at_most_white
from galgen.measure import ZERO_POINT, measure
from galgen.pixels.space import PixelSpace
from galgen.system.device import on_host
from galgen_kernels.ops.stamps_to_fits import stamps_to_fits

# The aperture follows the mean of the bands, so where bands are scaled apart it moves a little;
# each round leaves about a hundredth of the error of the last.
_ROUNDS = 4


class Finished(NamedTuple):
    """Galaxies as `galgen.batch.GalaxyBatch` holds them.

    Attributes
    ----------
    stamps_nbhw : ndarray
        Flux per pixel, float32; big-endian where there are sums.
    measured : dict of str to ndarray (n,)
        Columns of `galgen.measure.measure`, and ``TRUE_FLUX_<band>`` where stamps are scaled to
        fluxes asked for, or observed.
    sums_nb : ndarray or None
        uint32, ``DATASUM`` of each stamp of each band.
    finite_n : ndarray of bool
        Whether the pixels are all numbers.
    plausible_n : ndarray of bool
        Whether they are, as the model made them, what a galaxy can have.
    """

    stamps_nbhw: np.ndarray
    measured: dict[str, np.ndarray]
    sums_nb: np.ndarray | None
    finite_n: np.ndarray
    plausible_n: np.ndarray


def finish(
    x_nhwc: Tensor,
    space: PixelSpace,
    observation: Observation | None = None,
    index_n: Tensor | None = None,
    seed: int = 0,
    asked_nb: Tensor | None = None,
) -> Finished:
    """Make flux of stamps in model space, and measure it.

    A GPU makes the bytes and sums of the FITS file itself, in one pass: what leaves it goes to disk
    untouched. On a CPU, swapping bytes is cheapest where they are written, and where stamps are
    changed (`observation`) their sums are taken then too.

    Parameters
    ----------
    x_nhwc : Tensor
        Stamps in model space.
    space : PixelSpace
        Pixel space of the model.
    observation : Observation, optional
        Flux unit, PSF, hook and noise; by default flux is as the model has it.
    index_n : Tensor, optional
        Galaxy indices, int64, on the CPU, for noise; by default from 0.
    seed : int
        Seed of the run, for noise.
    asked_nb : Tensor, optional
        Total flux to scale stamps to; see `scale_to`.

    Returns
    -------
    Finished
        Flux and columns in host memory.

    Raises
    ------
    InvalidValueError
        If the flux cannot be had from the model's pixels, or a hook returns none.
    """
    observation = observation or Observation()
    index_n = torch.arange(len(x_nhwc)) if index_n is None else index_n
    plain = asked_nb is None and not observation.changes_pixels and observation.scale.factor == 1
    if plain and x_nhwc.device.type == "cuda":
        return _offset(_for_disk(x_nhwc, space), observation)
    finite_n = x_nhwc.isfinite().flatten(1).all(1)
    standard_nhwc = space.unmix(x_nhwc)
    plausible_n = are_plausible(standard_nhwc, space)
    native_nhwc = space.unstandardise(at_most_white(standard_nhwc, space))
    flux_nhwc = space.native_to_flux(native_nhwc)
    truth = {}
    if plain:
        measured = measure(flux_nhwc, space.bands)
    else:
        flux_nhwc = flux_nhwc * observation.scale.factor
        if asked_nb is not None:
            flux_nhwc = scale_to(flux_nhwc, asked_nb.to(flux_nhwc.device), space.bands)
        measured = measure(flux_nhwc, space.bands)
        if asked_nb is not None or observation.changes_pixels:
            names = (f"FLUX_{band.upper()}" for band in space.bands)
            truth = {f"TRUE_{name}": measured[name] for name in names}
        if observation.changes_pixels:
            flux_nhwc = observation.apply(flux_nhwc, index_n, seed)
            measured = measure(flux_nhwc, space.bands)
        finite_n = finite_n & flux_nhwc.isfinite().flatten(1).all(1)
    columns = measured | truth
    flux_nbhw, columns_cn, finite_n, plausible_n = on_host(
        flux_nhwc.permute(0, 3, 1, 2).contiguous(),
        torch.stack([*columns.values()]),
        finite_n,
        plausible_n,
    )
    finished = Finished(
        flux_nbhw.numpy(),
        dict(zip(columns, columns_cn.numpy(), strict=True)),
        None,
        finite_n.numpy(),
        plausible_n.numpy(),
    )
    return _offset(finished, observation)


def scale_to(flux_nhwc: Tensor, asked_nb: Tensor, bands: tuple[str, ...]) -> Tensor:
    """Scale stamps so that their measured total flux is what was asked for.

    A band for which nothing was asked, or in which nothing was measured, gets the factor of the
    nearest band that has one, the bluer of two. A galaxy that cannot be measured at all is scaled
    by the sum of its pixels; one for which nothing was asked stays as it is.

    Parameters
    ----------
    flux_nhwc : Tensor
        Flux per pixel.
    asked_nb : Tensor
        Total flux in the same unit; NaN where nothing was asked.
    bands : tuple of str
        Bluest first.

    Returns
    -------
    Tensor
        The scaled flux, of the same shape.
    """
    for round_ in range(_ROUNDS):
        measured = measure(flux_nhwc, bands)
        have_nb = torch.stack([measured[f"FLUX_{band.upper()}"] for band in bands], 1)
        factor_nb = asked_nb / have_nb
        factor_nb = factor_nb.where(factor_nb.isfinite() & (factor_nb > 0), torch.nan)
        if round_ == 0:
            sum_nb = flux_nhwc.sum((1, 2)).abs()
            by_sum_nb = asked_nb / sum_nb.where(sum_nb > 0, torch.nan)
            unseen_n1 = have_nb.isnan().all(1, keepdim=True)
            factor_nb = torch.where(unseen_n1, by_sum_nb, factor_nb)
        flux_nhwc = flux_nhwc * _from_neighbours(factor_nb)[:, None, None, :]
    return flux_nhwc


def _from_neighbours(factor_nb: Tensor) -> Tensor:
    """Replace NaN by the nearest band's factor, and by 1 where there is none."""
    bands = factor_nb.shape[1]
    out = []
    for b in range(bands):
        best_n = torch.full_like(factor_nb[:, 0], torch.nan)
        for other in sorted(range(bands), key=lambda o: (abs(o - b), o)):
            best_n = torch.where(best_n.isnan(), factor_nb[:, other], best_n)
        out.append(best_n.nan_to_num(1.0))
    return torch.stack(out, 1)


def _offset(finished: Finished, observation: Observation) -> Finished:
    """Make surface brightness magnitudes of the catalogue's zero point."""
    zero = observation.scale.zero_point
    if zero is not None and zero != ZERO_POINT:
        column = finished.measured["SURFACE_BRIGHTNESS"]
        finished.measured["SURFACE_BRIGHTNESS"] = column + np.float32(zero - ZERO_POINT)
    return finished


def _for_disk(x_nhwc: Tensor, space: PixelSpace) -> Finished:
    """Make the bytes of a FITS file and their sums on a GPU."""
    standard_nhwc = space.unmix(x_nhwc)
    plausible_n = are_plausible(standard_nhwc, space)
    made = stamps_to_fits(at_most_white(standard_nhwc, space), space.kernel_stretch())
    flux_nhwc = made.planes_nbhw.permute(0, 2, 3, 1)
    measured = measure(flux_nhwc, space.bands)
    columns_cn = torch.stack([*measured.values()])
    data_bnhv, sums_nb, flux_nb, columns_cn, plausible_n = on_host(
        made.data_bnhv, made.sums_nb, made.flux_nb, columns_cn, plausible_n
    )
    return Finished(
        data_bnhv.numpy().view(">f4").swapaxes(0, 1),
        dict(zip(measured, columns_cn.numpy(), strict=True)),
        sums_nb.numpy(),
        flux_nb.isfinite().all(1).numpy(),
        plausible_n.numpy(),
    )
