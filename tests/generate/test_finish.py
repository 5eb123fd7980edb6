"""What a GPU hands to the catalogue is what a CPU does, in the bytes of the file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from galgen.catalog.format import checksum
from galgen.generate.flux import _for_disk, finish
from galgen.pixels.space import PixelSpace

SPACES = {
    "flux": PixelSpace("flux", ("g", "r", "i"), (0.01, 0.02, 0.05), (1.0, 1.2, 1.3), (2.0,) * 3),
    "display": PixelSpace(
        "display", ("g", "r", "i"), 0.02, (0.05, 0.06, 0.08), (0.1,) * 3, lupton="sdss"
    ),
}
MIX = ((0.6, 0.5, 0.6), (-0.7, 0.1, 0.6), (0.3, -0.8, 0.4))
SPACES["mixed flux"] = replace(SPACES["flux"], mix=MIX)
SPACES["mixed display"] = replace(SPACES["display"], mix=MIX)


@pytest.fixture
def x_nhwc() -> Tensor:
    """Five galaxies of 24 x 32 pixels, noisy, not centred."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    y, x = torch.meshgrid(torch.arange(24.0) - 11, torch.arange(32.0) - 16.3, indexing="ij")
    galaxy = 2.5 * torch.exp(-0.5 * ((x / 3) ** 2 + (y / 2) ** 2))[None, :, :, None]
    noise = torch.randn(5, 24, 32, 3, generator=torch.Generator().manual_seed(0))
    return (galaxy + 0.05 * noise - 0.3).to(device)


@pytest.mark.parametrize("native", SPACES)
def test_both_ways_agree(native: str, x_nhwc: Tensor) -> None:
    made, plain = _for_disk(x_nhwc, SPACES[native]), finish(x_nhwc.cpu(), SPACES[native])
    assert made.stamps_nbhw.dtype == np.dtype(">f4")
    assert plain.stamps_nbhw.dtype == np.float32
    assert plain.sums_nb is None
    peak = np.abs(plain.stamps_nbhw).max()
    np.testing.assert_allclose(made.stamps_nbhw, plain.stamps_nbhw, rtol=1e-5, atol=1e-6 * peak)
    for i, stamp in enumerate(made.stamps_nbhw):
        sums = [checksum.sum_bytes(band.tobytes()) for band in stamp]
        assert made.sums_nb[i].tolist() == sums
    assert list(made.measured) == list(plain.measured)
    for name, column in made.measured.items():
        assert column.dtype == np.float32
        np.testing.assert_allclose(column, plain.measured[name], rtol=2e-3, err_msg=name)
    assert made.finite_n.all()
    assert plain.finite_n.all()


def test_each_band_can_be_written_without_a_copy(x_nhwc: Tensor) -> None:
    stamps_nbhw = _for_disk(x_nhwc, SPACES["flux"]).stamps_nbhw
    assert all(stamps_nbhw[:, band].flags.c_contiguous for band in range(3))


@pytest.mark.parametrize("native", SPACES)
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_one_bad_pixel_is_enough(native: str, value: float, x_nhwc: Tensor) -> None:
    """Infinity would have a finite flux: sinh is cut."""
    x_nhwc[3, 0, 31, 2] = value
    for finished in (_for_disk(x_nhwc, SPACES[native]), finish(x_nhwc.cpu(), SPACES[native])):
        assert finished.finite_n.tolist() == [True, True, True, False, True]


def test_one_softening_for_all_bands(x_nhwc: Tensor) -> None:
    """May be one number in either space."""
    one, each = (replace(SPACES["flux"], softening=a) for a in (0.02, (0.02,) * 3))
    assert one.kernel_stretch() == each.kernel_stretch()
