"""Point-spread functions: Gaussian, Moffat or an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from astropy.io import fits
from torch import Tensor

from galgen.errors import DataError, InvalidValueError, reading
from galgen.system.fitsfile import checked_hdus, open_fits

MAX_SIDE = 513  # of a PSF's image
FORMS = "none, gaussian:FWHM, moffat:FWHM, moffat:FWHM:BETA (arcsec) or the name of a .fits image"
_BETA = 3.0
_SAMPLES = 5  # per pixel and axis
_REACH = {"gaussian": 2.5, "moffat": 8.0}  # half the side, in FWHM: all light but 1e-7, 0.0002
_PAD = 32  # transforms are padded to multiples of this, so that few kernels need one


def parse_psf(text: str, pixel_scale: float) -> np.ndarray:
    """Make the image of a PSF.

    Parameters
    ----------
    text : str
        ``none``, ``gaussian:0.8``, ``moffat:0.8``, ``moffat:0.8:2.5`` (FWHM in arcsec), or a FITS
        file whose first image has odd sides, is centred on its middle pixel and has the pixels of
        the scene.
    pixel_scale : float
        Arcsec.

    Returns
    -------
    ndarray (K, K) float64
        K is odd and the sum is 1.

    Raises
    ------
    InvalidValueError, DataError
        If it is none of these.
    """
    kind, _, numbers = text.partition(":")
    if text == "none":
        return np.ones((1, 1))
    if kind not in _REACH:
        if not text.lower().endswith((".fits", ".fit")):
            raise InvalidValueError("psf", text, FORMS)
        return _read(Path(text))
    parts = numbers.split(":")
    try:
        fwhm, beta = float(parts[0]), float(parts[1]) if len(parts) > 1 else _BETA
    except ValueError:
        raise InvalidValueError("psf", text, FORMS) from None
    if len(parts) > (2 if kind == "moffat" else 1) or not (0 < fwhm < math.inf and beta > 1.5):
        raise InvalidValueError("psf", text, f"{FORMS}; FWHM above 0, BETA above 1.5")
    fwhm /= pixel_scale
    half = max(2, math.ceil(_REACH[kind] * fwhm))
    if 2 * half + 1 > MAX_SIDE:
        raise InvalidValueError("psf", text, f"FWHM below {MAX_SIDE / 2 / _REACH[kind]:.0f} pixels")
    # Mean over each pixel.
    ticks = (np.arange((2 * half + 1) * _SAMPLES) + 0.5) / _SAMPLES - half - 0.5
    r2 = (ticks**2 + ticks[:, None] ** 2) / fwhm**2
    if kind == "gaussian":
        image = np.exp(-4 * math.log(2) * r2)
    else:
        image = (1 + 4 * (2 ** (1 / beta) - 1) * r2) ** -beta
    return _normalised(image.reshape(2 * half + 1, _SAMPLES, 2 * half + 1, _SAMPLES).mean((1, 3)))


def _read(path: Path) -> np.ndarray:
    """Read the image of a PSF, padded to a square of sum 1."""
    with reading(path, "FITS"), open_fits(path) as file, fits.open(file, memmap=False) as hdus:
        images = (hdu for hdu in checked_hdus(hdus, path) if hdu.is_image and hdu.shape)
        hdu = next(images, hdus[0])
        shape = hdu.shape
        if len(shape) != 2:
            raise DataError(f"{path}: has no image of two axes.")
        if not all(side % 2 and side <= MAX_SIDE for side in shape):
            raise DataError(f"{path}: has {shape} pixels; odd sides up to {MAX_SIDE} are needed.")
        image = np.asarray(hdu.data, np.float64)
    if not (np.isfinite(image).all() and image.sum() > 0):
        raise DataError(f"{path}: its pixels are not finite, or have no positive sum.")
    side = max(image.shape)
    return _normalised(np.pad(image, [((side - n) // 2,) * 2 for n in image.shape]))


def _normalised(image: np.ndarray) -> np.ndarray:
    """Divide an image by its sum."""
    normalised: np.ndarray = image / image.sum()
    return normalised


class Convolver:
    """Convolution of small images with the PSF of each band.

    Parameters
    ----------
    kernels : sequence of ndarray (K, K)
        One per band, their sides odd.

    Attributes
    ----------
    margin : int
        Pixels by which light is carried.
    """

    def __init__(self, kernels: Sequence[np.ndarray]) -> None:
        self._kernels = [torch.from_numpy(kernel) for kernel in kernels]
        self._transforms: dict[tuple[int, int], Tensor] = {}
        self.margin = max(len(kernel) // 2 for kernel in kernels)

    def __call__(self, image_bhw: Tensor) -> Tensor:
        """Convolve an image (B, h, w); the result has `margin` more pixels on every side."""
        if self.margin == 0:
            return image_bhw
        sides = [side + 2 * self.margin for side in image_bhw.shape[1:]]
        h, w = (-(-side // _PAD) * _PAD for side in sides)
        if (h, w) not in self._transforms:
            self._transforms[h, w] = self._transform(h, w)
        product = torch.fft.rfft2(image_bhw, s=(h, w)) * self._transforms[h, w]
        convolved: Tensor = torch.fft.irfft2(product, s=(h, w))
        return convolved[:, : sides[0], : sides[1]]

    def _transform(self, h: int, w: int) -> Tensor:
        """Fourier transform of the kernels in images of (h, w), their middles at `margin`."""
        planes = torch.zeros(len(self._kernels), h, w, dtype=torch.float64)
        for plane, kernel in zip(planes, self._kernels, strict=True):
            first, side = self.margin - len(kernel) // 2, len(kernel)
            plane[first : first + side, first : first + side] = kernel
        transform: Tensor = torch.fft.rfft2(planes)
        return transform
