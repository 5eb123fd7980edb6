"""Real galaxies of a category in two sets, and images and features of 8 bits to match them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from galgen import categories
from galgen.data import StampSet, split
from galgen.evaluation.embedding import EARLY_BLOCKS, SPACES, Embedding, oriented
from galgen.measure import measure
from galgen.pixels.lupton import lupton_preset
from galgen.training.config import TrainConfig

# Categories, and the labels that belong to them; a label's descendants do not.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "round-smooth": ("round-smooth",),
    "in-between-smooth": ("in-between-smooth",),
    "spiral": ("spiral",),
    "edge-on": ("edge-on-bulge", "edge-on-no-bulge"),
    "cigar-smooth": ("cigar-smooth",),
}


@dataclass(frozen=True)
class Galaxies:
    """Galaxies of one origin.

    Attributes
    ----------
    images_nhwc : ndarray (N, H, W, B) uint8
        Grey levels of the display stretch, bluest band first.
    measured : dict of str to ndarray (N,)
        Columns of `galgen.measure`.
    """

    images_nhwc: np.ndarray
    measured: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.images_nhwc)


@dataclass(frozen=True)
class RealSets:
    """Rows of the real galaxies of a category.

    Attributes
    ----------
    first, second : ndarray (n,)
        Two sets without a common galaxy. The first begins with those held out of training.
    rest : ndarray
        All that are not in the first.
    held_out : int
        How many of the first are held out of training.
    """

    first: np.ndarray
    second: np.ndarray
    rest: np.ndarray
    held_out: int


def real_sets(stamps: StampSet, group: str, n: int, seed: int) -> RealSets:
    """Choose real galaxies of a group of `GROUPS`; fewer than n if there are not 2 n.

    Parameters
    ----------
    stamps : StampSet
        Labelled galaxies, those held out of training among them.
    group : str
        A key of `GROUPS`.
    n : int
        Galaxies of each set.
    seed : int
        Of the choice.
    """
    codes = [categories.get(name).code for name in GROUPS[group]]
    members = np.flatnonzero(np.isin(stamps.category, codes))
    _, held_out = split(stamps, TrainConfig.validation)
    is_held_out = np.isin(stamps.ids[members], held_out.ids)
    shuffled = np.random.default_rng((seed, codes[0])).permutation(len(members))
    order = shuffled[np.argsort(~is_held_out[shuffled], kind="stable")]
    n = min(n, len(members) // 2)
    rows = members[order]
    return RealSets(rows[:n], rows[-n:], rows[n:], int(is_held_out[order[:n]].sum()))


def request_of(stamps: StampSet, rows: np.ndarray) -> str:
    """Return the mixture of labels of real galaxies, as a request for generated ones."""
    codes, counts = np.unique(stamps.category[rows], return_counts=True)
    pairs = zip(codes.tolist(), counts.tolist(), strict=True)
    return ",".join(f"{categories.get(code).name}:{count}" for code, count in pairs)


def real(stamps: StampSet, rows: np.ndarray) -> Galaxies:
    """Real galaxies, measured by the code that measures generated ones."""
    images = stamps.pixels[rows]
    return Galaxies(images, measure_images(images, stamps.lupton, stamps.bands))


def to_8bit(display: np.ndarray) -> np.ndarray:
    """Grey levels of display values in [0, 1]."""
    return np.round(255 * np.clip(display, 0, 1)).astype(np.uint8)


def measure_images(
    images_nhwc: np.ndarray, lupton: str | None, bands: Iterable[str]
) -> dict[str, np.ndarray]:
    """Measured columns of 8-bit images of a known stretch, taken back to flux."""
    bands = tuple(bands)
    display = torch.from_numpy(np.ascontiguousarray(images_nhwc)).float() / 255
    flux_nhwc = lupton_preset(lupton, bands).to_flux(display)
    return {name: column.numpy() for name, column in measure(flux_nhwc, bands).items()}


def cached_features(
    embedding: Embedding, images_nhwc: np.ndarray, seed: int, cache: Path | None
) -> dict[str, np.ndarray]:
    """Features of turned images, from the folder `cache` where they are known."""
    versions = sorted(embedding.versions.items())
    digest = hashlib.sha256(np.ascontiguousarray(images_nhwc))
    digest.update(repr((versions, EARLY_BLOCKS, seed)).encode())
    path = None if cache is None else cache / f"{digest.hexdigest()[:20]}.npz"
    if path is not None and path.is_file():
        with np.load(path) as known:
            return {name: known[name] for name in SPACES}
    found = embedding.features(oriented(images_nhwc, seed))
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **found)
    return found
