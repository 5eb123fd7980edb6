"""Equally many generated and real galaxies of a category, as the same kind of 8-bit images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from galgen import categories
from galgen.data import StampSet, split
from galgen.generate import GalaxyModel
from galgen.generate.sampling import Sampling
from galgen.measure import measure
from galgen.pictures.display import display_stretch, to_display
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


def generated(
    model: GalaxyModel, request: str, n: int, seed: int, sampling: Sampling | None
) -> Galaxies:
    """Return generated galaxies as 8-bit images, measured in the flux of a catalogue."""
    run = model.generate(request, n, seed=seed, sampling=sampling)
    batches = list(run)
    stamps_nbhw = np.concatenate([np.asarray(b.stamps_nbhw, np.float32) for b in batches])
    display = to_display(stamps_nbhw, display_stretch(run.info, stamps_nbhw))
    names = batches[0].measured
    measured = {name: np.concatenate([b.measured[name] for b in batches]) for name in names}
    return Galaxies(to_8bit(display), measured)


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
