"""The stamps_to_fits kernel, and its reference, against float64 and astropy."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from astropy.io import fits
from torch import Tensor

from galgen_kernels.ops.stamps_to_fits import (
    FitsStamps,
    Lupton,
    Stretch,
    reference,
    stamps_to_fits,
)

pytest.importorskip("triton", reason="Triton has no build for this platform")
from galgen_kernels.ops.stamps_to_fits import fused as kernel

WAYS = {"kernel": kernel.launch, "reference": reference.stamps_to_fits}
ASINH = Stretch((1.0,), (0.0,), (1.0,))  # flux = sinh(x)


@pytest.fixture(autouse=True)
def _poisoned() -> Iterator[None]:
    """Memory that is not written reads as NaN or the largest integer."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(params=WAYS)
def make(request: pytest.FixtureRequest):
    return WAYS[request.param]


def stretch(bands: int, *, lupton: bool) -> Stretch:
    """Other numbers in every band."""
    one = tuple(1 + 0.1 * band for band in range(bands))
    inverse = Lupton(1.0, tuple(0.2 * v for v in one), tuple(0.01 * v for v in one))
    intercept = tuple(0.15 * v for v in one)
    return Stretch(one, intercept, tuple(0.02 * v for v in one), inverse if lupton else None)


def galaxies(n: int, h: int, w: int, bands: int) -> Tensor:
    """Model space: an elongated galaxy, not centred and up to 3.5, on noise about 0."""
    y, x = torch.meshgrid(torch.arange(h) - 0.45 * h, torch.arange(w) - 0.52 * w, indexing="ij")
    profile = torch.exp(-0.5 * ((x / 4 + y / 9) ** 2 + (y / 2) ** 2))[None, :, :, None]
    noise = torch.randn(n, h, w, bands, generator=torch.Generator().manual_seed(0))
    return 0.05 * noise + profile * torch.linspace(3.5, 1.0, bands)


def stored(made: FitsStamps) -> np.ndarray:
    """(n, b, h, w) as a FITS reader sees it."""
    return made.data_bnhv.cpu().numpy().view(">f4").swapaxes(0, 1)


@pytest.mark.parametrize(
    ("shape", "lupton"),
    [
        ((1, 16, 16, 1), False),  # one band
        ((3, 24, 40, 3), True),  # not square, pixels not a power of two; several stamps
        ((3, 24, 40, 6), False),  # as many bands as surveys have; not a power of two either
        ((1, 64, 64, 3), True),  # what galgen ships: all pixels at once
        ((1, 66, 65, 2), False),  # two chunks, the last one almost empty
        ((1, 66, 65, 2), True),
    ],
)
def test_against_float64(device, shape, lupton) -> None:
    n, h, w, bands = shape
    x_nhwc, constants = galaxies(*shape).to(device), stretch(bands, lupton=lupton)
    made = kernel.launch(x_nhwc, constants)
    flux_nbhw = reference.to_flux(x_nhwc.double(), constants).movedim(-1, 1)
    expected = reference.stamps_to_fits(x_nhwc, constants)

    torch.testing.assert_close(made.planes_nbhw.double(), flux_nbhw, rtol=3e-6, atol=1e-7)
    assert flux_nbhw.max() > (100 if lupton else 0.1)  # most bright pixels are beyond the series
    assert stored(made).shape == (n, bands, h, w)
    np.testing.assert_array_equal(stored(made), made.planes_nbhw.cpu())
    torch.testing.assert_close(made.flux_nb, expected.flux_nb, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 16, 16, 3), (3, 10, 7, 2)])
def test_checksums_are_those_of_astropy(device, make, shape) -> None:
    made = make(galaxies(*shape).to(device), stretch(shape[-1], lupton=False))
    for stamp, sums in zip(stored(made), made.sums_nb.cpu(), strict=True):
        assert sums.tolist() == [fits.ImageHDU(band).add_datasum() for band in stamp]


@pytest.mark.parametrize(
    ("pixels", "word", "total"),
    [
        (4, 0, 0),  # only zeros sum to 0
        (3, 0xAAAAAAAA, 0xFFFFFFFF),  # twice all ones, which is zero too
        # 2 (2^32 - 1) + 1 is 2^33 - 1: adding its carry back in gives another, and then 1.
        (7, 0x49249249, 1),
    ],
)
def test_both_zeros_of_a_checksum(device, make, pixels, word, total) -> None:
    flux = float(np.uint32(word).view(np.float32))
    everywhere = Stretch((1.0,), (0.0,), (0.0,), Lupton(0.0, (1.0,), (-flux,)))
    made = make(torch.zeros(1, 1, pixels, 1, device=device), everywhere)
    assert (stored(made).view(">u4") == word).all()
    assert made.sums_nb.item() == total


@pytest.mark.parametrize("lupton", [False, True])
def test_flux_is_finite_however_large(device, make, lupton) -> None:
    """The sinh is cut at 40; a float32 holds it up to 88."""
    x_nhwc = torch.tensor([-1e3, 1e3, 0.0, 0.0], device=device).reshape(1, 2, 2, 1)
    inverse = Lupton(1.0, (1.0,), (0.0,)) if lupton else None
    flux = make(x_nhwc, Stretch((1.0,), (0.0,), (1.0,), inverse)).planes_nbhw.flatten()
    largest = math.sinh(40)
    expected = [-1e6, 1e6 * largest / 40] if lupton else [-largest, largest]
    assert flux[:2].tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("lupton", [False, True])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # the interpreter's inf - inf
def test_one_bad_pixel_shows_and_spoils_no_other_stamp(device, make, value, lupton) -> None:
    x_nhwc, constants = galaxies(3, 16, 16, 3).to(device), stretch(3, lupton=lupton)
    good = make(x_nhwc, constants)
    x_nhwc[1, 15, 15, 2] = value
    bad = make(x_nhwc, constants)
    assert not bad.flux_nb[1, 2].isfinite()
    assert bad.planes_nbhw[1, 2, 15, 15].isnan()
    for field in ("flux_nb", "sums_nb", "planes_nbhw"):
        one, other = (getattr(made, field).cpu() for made in (good, bad))
        assert torch.equal(one[[0, 2]].double(), other[[0, 2]].double()), field
    assert torch.equal(good.data_bnhv[:, [0, 2]], bad.data_bnhv[:, [0, 2]])


def test_a_stamp_does_not_depend_on_its_batch(device) -> None:
    x_nhwc, constants = galaxies(3, 24, 40, 3).to(device), stretch(3, lupton=True)
    batch = kernel.launch(x_nhwc, constants)
    alone = kernel.launch(x_nhwc[2:].clone(), constants)
    assert torch.equal(batch.data_bnhv[:, 2:], alone.data_bnhv)
    for field in ("sums_nb", "flux_nb", "planes_nbhw"):
        one, other = (getattr(made, field).cpu().double() for made in (batch, alone))
        assert torch.equal(one[2:], other), field


def test_dispatch(device) -> None:
    x_nhwc = galaxies(2, 16, 16, 3).to(device)
    constants = stretch(3, lupton=True)
    way = kernel.launch if device.type == "cuda" else reference.stamps_to_fits
    made, expected = stamps_to_fits(x_nhwc, constants), way(x_nhwc, constants)
    assert torch.equal(made.data_bnhv, expected.data_bnhv)
    assert torch.equal(made.planes_nbhw, expected.planes_nbhw)


@pytest.mark.parametrize(
    ("x_nhwc", "match"),
    [
        (torch.zeros(1, 5, 4, 2), r"float32 \(1, 5, 4, 2\); allowed: .* width, 1\)"),
        (torch.zeros(5, 4, 1), r"float32 \(5, 4, 1\)"),
        (torch.zeros(1, 5, 4, 1, dtype=torch.float64), "float64"),
    ],
)
def test_refused(x_nhwc: Tensor, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        stamps_to_fits(x_nhwc, ASINH)
