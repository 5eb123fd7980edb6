"""Make labelled galaxies, export them as images in folders, and train a small classifier.

``python examples/classifier.py``

The classifier is tested on generated galaxies of another seed. Before it is used, test it on real
ones: a folder of the same categories, given to `read_images`.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

import galgen

CATEGORIES = ("round-smooth", "edge-on", "spiral")
BATCH = 32


def make_images(folder: str, n: int, seed: int, steps: int) -> None:
    """Write `n` galaxies as PNG in a folder per category."""
    sampling = galgen.Sampling(sampler="ipndm", steps=steps, micro_batch=min(n, BATCH))
    run = galgen.load_model().generate(",".join(CATEGORIES), n, seed=seed, sampling=sampling)
    catalog = f"{folder}.fits"
    galgen.write_catalog(catalog, run, run.info, overwrite=True)
    galgen.export_imagefolder(catalog, folder, overwrite=True)


def read_images(folder: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (n, 3, H, W) in [-1, 1], and the place of their category in `CATEGORIES`."""
    pixels, labels = [], []
    for label, category in enumerate(CATEGORIES):
        for path in sorted(Path(folder, category).glob("*.png")):
            pixels.append(np.asarray(Image.open(path)))
            labels.append(label)
    images_nhwc = torch.from_numpy(np.stack(pixels))
    return images_nhwc.movedim(-1, 1) / 127.5 - 1, torch.tensor(labels)


def make_network() -> nn.Module:
    """Four convolutions and a mean: what a few hundred images can teach."""
    widths = (3, 16, 32, 64, 64)
    layers: list[nn.Module] = []
    for channels_in, channels_out in pairwise(widths):
        layers += [nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1)]
        layers += [nn.BatchNorm2d(channels_out), nn.ReLU()]
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], len(CATEGORIES))
    )


def fit(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, epochs: int) -> None:
    """Train by AdamW, the rate rising and falling once; galaxies in any of eight orientations."""
    steps = epochs * math.ceil(len(images) / BATCH)
    optimizer = torch.optim.AdamW(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(BATCH):
            turned = torch.rot90(images[batch], int(torch.randint(4, ())), (2, 3))
            turned = turned.flip(3) if torch.rand(()) < 0.5 else turned
            loss = nn.functional.cross_entropy(network(turned), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def main(n: int = 192, steps: int = 6, epochs: int = 20) -> float:
    """Return the accuracy; thousands of galaxies and 12 steps or more for real use."""
    torch.manual_seed(0)
    make_images("train", n, seed=1, steps=steps)
    make_images("test", max(n // 3, 1), seed=2, steps=steps)
    network = make_network()
    fit(network.train(), *read_images("train"), epochs)
    images, labels = read_images("test")
    with torch.inference_mode():
        right = (network.eval()(images).argmax(1) == labels).float().mean().item()
    print(f"{right:.0%} of {len(labels)} generated galaxies of another seed are classified right")
    return right


if __name__ == "__main__":
    main()
