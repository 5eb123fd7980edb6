"""The same change to real and to generated images, to find what tells them apart."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image
from scipy import ndimage

Change = Callable[[np.ndarray], np.ndarray]
FILL = 8.0  # grey level of what is masked: about that of the sky
_CHANNELS = np.array([[1 / 3, 1 / 3, 1 / 3], [1.0, 0.0, -1.0], [0.5, -1.0, 0.5]])
_SOFT = 2.0  # pixels over which one galaxy goes over into another's sky


def blur(images_nhwc: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of each band."""
    return ndimage.gaussian_filter(images_nhwc, (0, sigma, sigma, 0))


def grey(images_nhwc: np.ndarray) -> np.ndarray:
    """Put the mean of the bands in all of them."""
    return np.repeat(images_nhwc.mean(-1, keepdims=True), images_nhwc.shape[-1], -1)


def middle(side: int) -> Change:
    """Only the middle; the rest is filled."""
    return lambda images: np.where(_square(images, side), images, FILL)


def outside(side: int) -> Change:
    """Only what is outside of the middle."""
    return lambda images: np.where(_square(images, side), FILL, images)


def band(i: int) -> Change:
    """One band, in all of them."""
    return lambda images: np.repeat(images[..., i : i + 1], images.shape[-1], -1)


def colour(images_nhwc: np.ndarray) -> np.ndarray:
    """Each band without the mean of the bands, twice as strong, around grey."""
    return 128 + 2 * (images_nhwc - images_nhwc.mean(-1, keepdims=True))


def high_pass(images_nhwc: np.ndarray) -> np.ndarray:
    """Return the image without its blur of 1 pixel, four times as strong, around grey."""
    return 128 + 4 * (images_nhwc - blur(images_nhwc, 1))


def grey_detail(images_nhwc: np.ndarray) -> np.ndarray:
    """Brightness as it is, colours blurred by 3 pixels."""
    mean = grey(images_nhwc)
    return mean + blur(images_nhwc - mean, 3)


def smooth_grey(images_nhwc: np.ndarray) -> np.ndarray:
    """Colours as they are, brightness blurred by 2 pixels."""
    mean = grey(images_nhwc)
    return images_nhwc - mean + blur(mean, 2)


def white_noise(deviation: float) -> Change:
    """White noise added in all bands, other noise for each image of both sets."""

    def change(images_nhwc: np.ndarray) -> np.ndarray:
        digest = int(np.asarray(images_nhwc, np.float64).sum()) % 2**31
        noise = np.random.default_rng(digest).standard_normal(images_nhwc.shape)
        return images_nhwc + deviation * noise

    return change


def jpeg(images_nhwc: np.ndarray, quality: int = 95) -> np.ndarray:
    """Written as JPEG without chroma subsampling, and read again."""
    out = np.empty(images_nhwc.shape)
    for image, again in zip(as_8bit(images_nhwc), out, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(image[..., ::-1]).save(buffer, "JPEG", quality=quality, subsampling=0)
        again[...] = np.asarray(Image.open(buffer))[..., ::-1]
    return out


def black_sky(images_nhwc: np.ndarray) -> np.ndarray:
    """Grey levels below 24 are cut off: sky and faint outskirts become flat."""
    return np.maximum(images_nhwc, 24.0)


def in_sky_of(core_nhwc: np.ndarray, sky_nhwc: np.ndarray, radius: float = 20.0) -> np.ndarray:
    """Put the middle of one set of images in the surroundings of another, with a soft seam."""
    y, x = np.indices(core_nhwc.shape[1:3])
    centre = (core_nhwc.shape[1] - 1) / 2
    weight = 1 / (1 + np.exp((np.hypot(x - centre, y - centre) - radius) / (_SOFT / 2)))
    return core_nhwc * weight[..., None] + sky_nhwc * (1 - weight[..., None])


def with_power_of(images_nhwc: np.ndarray, real_nhwc: np.ndarray) -> np.ndarray:
    """Images filtered so that their mean power at each frequency is that of the real ones.

    One linear filter for all images, for brightness and for each of two colour differences; power
    is averaged over flips and turns. What is told apart after it is not second-order statistics of
    the whole set.
    """
    both = [np.fft.fft2(x @ _CHANNELS.T, axes=(1, 2)) for x in (images_nhwc, real_nhwc)]
    made, real = (_symmetric((np.abs(f) ** 2).mean(0)) for f in both)
    filtered = np.fft.ifft2(both[0] * np.sqrt(real / made), axes=(1, 2)).real
    return filtered @ np.linalg.inv(_CHANNELS).T


def _symmetric(power_hwc: np.ndarray) -> np.ndarray:
    mirrored = np.roll(power_hwc[::-1], 1, 0)
    both = (power_hwc + mirrored) / 2
    both = (both + np.roll(both[:, ::-1], 1, 1)) / 2
    return (both + both.transpose(1, 0, 2)) / 2


def as_8bit(images_nhwc: np.ndarray) -> np.ndarray:
    """Whole grey levels within 0 to 255."""
    return np.clip(np.round(images_nhwc), 0, 255).astype(np.uint8)


def _square(images_nhwc: np.ndarray, side: int) -> np.ndarray:
    inside = np.zeros(images_nhwc.shape[1:3], bool)
    low = (len(inside) - side) // 2
    inside[low : low + side, low : low + side] = True
    return inside[..., None]


CHANGES: Mapping[str, Change] = {
    "none": lambda images: images,
    "blur 1": lambda images: blur(images, 1),
    "blur 2": lambda images: blur(images, 2),
    "blur 4": lambda images: blur(images, 4),
    "grey": grey,
    "grey, blur 2": lambda images: blur(grey(images), 2),
    "grey, blur 4": lambda images: blur(grey(images), 4),
    "middle 20": middle(20),
    "middle 32": middle(32),
    "outside 32": outside(32),
    "outside 32, blur 2": lambda images: outside(32)(blur(images, 2)),
    "middle 32, blur 2": lambda images: middle(32)(blur(images, 2)),
    "black sky": black_sky,
    "g only": band(0),
    "r only": band(1),
    "i only": band(2),
    "colour differences": colour,
    "high-pass 1": high_pass,
    "colours blurred 3": grey_detail,
    "brightness blurred 2": smooth_grey,
    "jpeg 95": jpeg,
    "noise 2": white_noise(2),
    "noise 4": white_noise(4),
    "noise 8": white_noise(8),
}
