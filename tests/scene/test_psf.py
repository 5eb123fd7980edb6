"""PSFs have the width and the light they should, and convolve as scipy does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from astropy.io import fits
from scipy.signal import fftconvolve

from galgen.errors import DataError, InvalidValueError
from galgen.scene.psf import MAX_SIDE, Convolver, parse_psf


def half_width(kernel: np.ndarray) -> float:
    """Full width at half maximum along the middle row, pixels."""
    row = kernel[len(kernel) // 2]
    half = len(row) // 2
    fall = row[half:]
    k = int(np.argmax(fall < fall[0] / 2))
    return 2 * (k - 1 + (fall[k - 1] - fall[0] / 2) / (fall[k - 1] - fall[k]))


@pytest.mark.parametrize("text", ["gaussian:2", "moffat:2", "moffat:2:4.765"])
def test_width_and_sum(text):
    kernel = parse_psf(text, 0.1)
    assert kernel.shape[0] == kernel.shape[1]
    assert len(kernel) % 2 == 1
    assert kernel.sum() == pytest.approx(1)
    assert half_width(kernel) == pytest.approx(20, rel=0.01)
    assert kernel == pytest.approx(kernel.T)
    assert kernel == pytest.approx(kernel[::-1])


def test_none_is_a_pixel():
    assert parse_psf("none", 0.2).tolist() == [[1.0]]


def test_an_image_is_normalised_and_made_square(tmp_path):
    image = np.random.default_rng(0).random((5, 3)).astype(np.float32)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image)]).writeto(tmp_path / "psf.fits")
    kernel = parse_psf(str(tmp_path / "psf.fits"), 0.2)
    assert kernel.shape == (5, 5)
    assert kernel[:, 1:4] == pytest.approx(image / image.sum(dtype=np.float64))


@pytest.mark.parametrize(
    "image",
    [
        np.ones((4, 5)),  # no middle pixel
        np.ones((3, 5, 5)),
        np.zeros((5, 5)),
        np.full((5, 5), np.nan),
        np.ones((MAX_SIDE + 2, 3)),
    ],
)
def test_images_that_are_no_psf_are_refused(tmp_path, image):
    fits.PrimaryHDU(image).writeto(tmp_path / "psf.fits")
    with pytest.raises(DataError, match=r"psf\.fits"):
        parse_psf(str(tmp_path / "psf.fits"), 0.2)


def test_files_that_are_no_image_are_refused(tmp_path):
    (tmp_path / "psf.fits").write_text("not FITS")
    for name in ("psf.fits", "missing.fits"):
        with pytest.raises(DataError, match=name):
            parse_psf(str(tmp_path / name), 0.2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "airy:1",
        "gaussian",
        "gaussian:x",
        "gaussian:0",
        "gaussian:-1",
        "gaussian:nan",
        "gaussian:1:3",
        "moffat:1:1",
        "moffat:1:2:3",
        "moffat:1000",
    ],
)
def test_nonsense_is_refused(text):
    with pytest.raises(InvalidValueError, match="psf"):
        parse_psf(text, 0.2)


@pytest.mark.parametrize("shape", [(5, 5), (31, 8), (64, 100)])
def test_convolution_is_that_of_scipy(shape):
    rng = np.random.default_rng(0)
    kernels = [rng.random((7, 7)), rng.random((1, 1)), rng.random((13, 13))]  # not symmetric
    image_bhw = rng.random((3, *shape))
    convolver = Convolver(kernels)
    found = convolver(torch.from_numpy(image_bhw)).numpy()
    assert convolver.margin == 6
    for found_hw, image_hw, kernel in zip(found, image_bhw, kernels, strict=True):
        framed = np.pad(image_hw, 6)
        assert found_hw == pytest.approx(fftconvolve(framed, kernel, mode="same"), abs=1e-12)
