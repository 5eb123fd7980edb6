"""The stamps_to_fits kernel, and its reference, against float64, astropy and closed forms."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from astropy.io import fits
from photutils.aperture import CircularAperture
from torch import Tensor

from galgen_kernels.ops.stamps_to_fits import FitsStamps, Lupton, Scaling, Stretch, stamps_to_fits
from galgen_kernels.ops.stamps_to_fits import reference as fits_reference

pytest.importorskip("triton", reason="Triton has no build for this platform")
from galgen_kernels.ops.stamps_to_fits import fused as kernel

WAYS = {"kernel": kernel.launch, "reference": fits_reference.stamps_to_fits}
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


def stored(made: FitsStamps, dtype: str) -> np.ndarray:
    """(n, b, h, w) as a FITS reader sees it."""
    return made.data_bnhv.cpu().numpy().view(dtype).swapaxes(0, 1)


@pytest.mark.parametrize("scaling", [None, Scaling(0.004, 3.0)], ids=["float32", "int16"])
@pytest.mark.parametrize(
    ("shape", "lupton"),
    [
        ((1, 16, 16, 1), False),  # one band
        ((3, 24, 40, 3), True),  # not square, pixels not a power of two; several stamps
        ((3, 24, 40, 6), False),  # as many bands as surveys have; not a power of two either
        ((1, 64, 64, 3), True),  # what galgen ships: all pixels stay in registers
        ((1, 66, 65, 2), False),  # they do not: two chunks, the last one almost empty
        ((1, 66, 65, 2), True),
    ],
)
def test_against_float64(device, shape, lupton, scaling) -> None:
    n, h, w, bands = shape
    x_nhwc, constants = galaxies(*shape).to(device), stretch(bands, lupton=lupton)
    made = kernel.launch(x_nhwc, constants, scaling, planes=True)
    flux_nbhw = fits_reference.to_flux(x_nhwc.double(), constants).movedim(-1, 1)
    expected = fits_reference.stamps_to_fits(x_nhwc, constants, scaling)

    torch.testing.assert_close(made.planes_nbhw.double(), flux_nbhw, rtol=3e-6, atol=1e-7)
    assert flux_nbhw.max() > (100 if lupton else 0.1)  # most bright pixels are beyond the series
    numbers = stored(made, ">f4" if scaling is None else ">i2")
    assert numbers.shape == (n, bands, h, w)
    if scaling is None:
        np.testing.assert_array_equal(numbers, made.planes_nbhw.cpu())
    else:
        level = (flux_nbhw.cpu().numpy() - scaling.bzero) / scaling.bscale
        level = np.clip(level, -32768, 32767)
        assert (np.abs(numbers - level) < 0.5 + 1e-6 * np.abs(level)).all()
    torch.testing.assert_close(made.flux_nb, expected.flux_nb, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(made.shape_ns, expected.shape_ns, rtol=1e-4, atol=5e-3)
    assert made.shape_ns.isfinite().all()


@pytest.mark.parametrize("scaling", [None, Scaling(0.004, 3.0)], ids=["float32", "int16"])
@pytest.mark.parametrize("shape", [(1, 16, 16, 3), (3, 10, 7, 2)])
def test_checksums_are_those_of_astropy(device, make, shape, scaling) -> None:
    made = make(galaxies(*shape).to(device), stretch(shape[-1], lupton=False), scaling)
    assert made.planes_nbhw is None
    for stamp, sums in zip(
        stored(made, ">f4" if scaling is None else ">i2"), made.sums_nb.cpu(), strict=True
    ):
        assert sums.tolist() == [fits.ImageHDU(band).add_datasum() for band in stamp]


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # no light, no centroid
def test_both_zeros_of_a_checksum(device, make) -> None:
    """Only zeros sum to 0; words of ones, which are zero too, to all ones."""
    x_nhwc = torch.zeros(1, 4, 4, 1, device=device)
    assert make(x_nhwc, ASINH).sums_nb.item() == 0
    assert make(x_nhwc, ASINH, Scaling(1.0, 1.0)).sums_nb.item() == 0xFFFFFFFF  # of -1, -1, ...
    # 2 (2^32 - 1) + 1 is 2^33 - 1: adding its carry back in gives another, and then 1.
    x_nhwc.flatten()[[0, 1, 6, 7]] = -1.0  # sinh(1) is rounded to 1
    x_nhwc[0, 3, 3, 0] = 1.0
    assert make(x_nhwc, ASINH, Scaling(1.0)).sums_nb.item() == 1


def test_integers_are_rounded_half_to_even_and_cut(device, make) -> None:
    """-u^2 below black, where the stretch is linear: exact in float32."""
    constants = Stretch((1.0,), (0.0,), (0.25,), Lupton(1.0, (1.0,), (0.0,)))
    x = [-0.5, -1.0, -1.5, -2.0, -2.5, -300.0, torch.nan, -3.0]
    x_nhwc = torch.tensor(x, device=device).reshape(1, 2, 4, 1)
    made = make(x_nhwc, constants, Scaling(0.5))  # -1, -2.5, -5, -8.5, -13, ...
    assert stored(made, ">i2").ravel().tolist() == [-1, -2, -5, -8, -13, -32768, -32768, -18]
    assert stored(make(x_nhwc, constants, Scaling(-0.5)), ">i2").ravel()[5] == 32767


def profile(name: str, r_half: float, xc: float, yc: float, side: int = 64) -> Tensor:
    """Model space (1, side, side, 1) of a round galaxy, averaged over each pixel."""
    fine = (torch.arange(7 * side, dtype=torch.float64) - 3) / 7
    r = torch.hypot(fine[None, :] - xc, fine[:, None] - yc)
    flux = torch.exp(-1.67835 * r / r_half) if name == "exponential" else 0.5 ** (r / r_half) ** 2
    flux = flux.reshape(side, 7, side, 7).mean((1, 3))
    return torch.asinh(flux).float()[None, :, :, None]


@pytest.mark.parametrize("name", ["exponential", "gaussian"])
@pytest.mark.parametrize(
    ("r_half", "xc", "yc"), [(2.0, 31.5, 31.5), (3.7, 30.2, 33.1), (7.0, 31, 32)]
)
def test_half_light_radius_of_known_profiles(device, make, name, r_half, xc, yc) -> None:
    made = make(profile(name, r_half, xc, yc).to(device), ASINH)
    x, y, *_, radius = made.shape_ns[0].tolist()
    assert (x, y) == pytest.approx((xc, yc), abs=0.02)
    assert radius == pytest.approx(r_half, rel=0.03)  # pixels smear the smallest most


def test_half_of_the_light_is_within_the_radius(device, make) -> None:
    """By photutils, whose apertures cover pixels exactly; on noise, bands averaged."""
    x_nhwc = galaxies(3, 40, 48, 2)
    made = make(x_nhwc.to(device), stretch(2, lupton=False), planes=True)
    for image, (x, y, *_, radius) in zip(
        made.planes_nbhw.double().mean(1).cpu().numpy(), made.shape_ns.tolist(), strict=True
    ):
        flux, _ = CircularAperture((x, y), radius).do_photometry(image, method="exact")
        assert flux[0] == pytest.approx(image.sum() / 2, rel=0.02)


def test_second_moments(device, make) -> None:
    """Of a Gaussian with sigma 5 and 2 turned by 30 degrees, which sampling keeps."""
    angle, pixel = math.pi / 6, torch.arange(64.0, dtype=torch.float64)
    dx, dy = pixel[None, :] - 30.3, pixel[:, None] - 32.6
    major = dx * math.cos(angle) + dy * math.sin(angle)
    minor = dy * math.cos(angle) - dx * math.sin(angle)
    flux = 100 * torch.exp(-0.5 * ((major / 5) ** 2 + (minor / 2) ** 2))
    made = make(torch.asinh(flux).float()[None, :, :, None].to(device), ASINH)
    cos2, sin2 = math.cos(angle) ** 2, math.sin(angle) ** 2
    expected = [30.3, 32.6, 25 * cos2 + 4 * sin2, 25 * sin2 + 4 * cos2, 21 * math.sqrt(cos2 * sin2)]
    assert made.shape_ns[0, :5].tolist() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("lupton", [False, True])
def test_flux_is_finite_however_large(device, make, lupton) -> None:
    """The sinh is cut at 40; a float32 holds it up to 88."""
    x_nhwc = torch.tensor([-1e3, 1e3, 0.0, 0.0], device=device).reshape(1, 2, 2, 1)
    inverse = Lupton(1.0, (1.0,), (0.0,)) if lupton else None
    flux = make(x_nhwc, Stretch((1.0,), (0.0,), (1.0,), inverse), planes=True).planes_nbhw.flatten()
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
    assert bad.shape_ns[1].isnan().all()
    for field in ("flux_nb", "sums_nb", "shape_ns"):
        one, other = (getattr(made, field).cpu() for made in (good, bad))
        assert torch.equal(one[[0, 2]].double(), other[[0, 2]].double()), field
    assert torch.equal(good.data_bnhv[:, [0, 2]], bad.data_bnhv[:, [0, 2]])


def test_a_stamp_does_not_depend_on_its_batch(device) -> None:
    x_nhwc, constants = galaxies(3, 24, 40, 3).to(device), stretch(3, lupton=True)
    batch = kernel.launch(x_nhwc, constants, planes=True)
    alone = kernel.launch(x_nhwc[2:].clone(), constants, planes=True)
    assert torch.equal(batch.data_bnhv[:, 2:], alone.data_bnhv)
    for field in ("sums_nb", "flux_nb", "shape_ns", "planes_nbhw"):
        one, other = (getattr(made, field).cpu().double() for made in (batch, alone))
        assert torch.equal(one[2:], other), field


@pytest.mark.filterwarnings("ignore:(invalid value|divide by zero):RuntimeWarning")
def test_no_light_has_no_shape(device, make) -> None:
    made = make(torch.full((1, 16, 16, 1), -1.0, device=device), ASINH)
    assert made.shape_ns.isnan().all()
    assert made.flux_nb.item() == pytest.approx(-256 * math.sinh(1), rel=1e-5)


def test_dispatch(device) -> None:
    x_nhwc = galaxies(2, 16, 16, 3).to(device)
    constants = stretch(3, lupton=True)
    way = kernel.launch if device.type == "cuda" else fits_reference.stamps_to_fits
    made, expected = stamps_to_fits(x_nhwc, constants), way(x_nhwc, constants)
    assert torch.equal(made.data_bnhv, expected.data_bnhv)
    assert torch.equal(made.shape_ns, expected.shape_ns)


@pytest.mark.parametrize(
    ("x_nhwc", "scaling", "match"),
    [
        (torch.zeros(1, 5, 5, 1), Scaling(1.0), "5 x 5 pixels; allowed as int16: an even number"),
        (torch.zeros(1, 5, 4, 2), None, r"float32 \(1, 5, 4, 2\); allowed: .* width, 1\)"),
        (torch.zeros(5, 4, 1), None, r"float32 \(5, 4, 1\)"),
        (torch.zeros(1, 5, 4, 1, dtype=torch.float64), None, "float64"),
    ],
)
def test_refused(x_nhwc: Tensor, scaling: Scaling | None, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        stamps_to_fits(x_nhwc, ASINH, scaling)
