"""How generated galaxies are mixed in with real ones that a classifier learns from.

Minorities are the classes of fewer galaxies than the median class. Generated ones fill them up to
it, but are no more than `MOST` for each real one. Other labels get `MAJORITY` each, where all get
some.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.matched_sets import to_8bit
from galgen.data import StampSet
from galgen.data.draws import balanced_weights
from galgen.data.stamps import bin_to_size
from galgen.evaluation.classes import Classes
from galgen.generate import GalaxyModel
from galgen.generate.sampling import Sampling
from galgen.pictures.display import display_stretch, to_display

MAJORITY = 48  # generated galaxies of each label that is no minority
MOST = 3  # generated galaxies for each real one of a minority


@dataclass(frozen=True)
class Arm:
    """How generated galaxies are mixed in.

    Attributes
    ----------
    labels : str
        Which labels have them: 'none', 'minorities' or 'all'.
    share : float or None
        Part of the draws of such a label that are generated; None for galaxies that are added like
        real ones, by which their label is drawn more often, too.
    """

    labels: str
    share: float | None = None

    def draws(
        self, label_n: np.ndarray, made_n: np.ndarray, few: list[int], balance: float
    ) -> np.ndarray:
        """Return how often each galaxy is drawn (n,), of labels and of whether it was generated."""
        chosen = {"none": False, "minorities": np.isin(label_n, few), "all": True}[self.labels]
        used_n = made_n & chosen
        rows = ~made_n if self.share is not None else ~made_n | used_n
        draw_n = np.zeros(len(label_n))
        draw_n[rows] = balanced_weights(label_n[rows], balance)
        if self.share is not None:
            for label in np.unique(label_n[used_n]):
                real, made = (label_n == label) & ~made_n, (label_n == label) & made_n
                draw_n[made] = self.share * draw_n[real].sum() / made.sum()
                draw_n[real] *= 1 - self.share
        return draw_n


REAL_ALONE = "real alone"
ARMS = {
    REAL_ALONE: Arm("none"),
    "minorities, added": Arm("minorities"),
    "all, a quarter": Arm("all", 0.25),
}


def wanted(classes: Classes, label_n: np.ndarray, majority: int = MAJORITY) -> dict[int, int]:
    """Return how many galaxies to generate of each label."""
    counts = {label: int((label_n == label).sum()) for label in np.unique(label_n).tolist()}
    median, few = int(_median(classes, label_n)), minorities(classes, label_n)
    filled = {label: min(median - n, MOST * n) for label, n in counts.items()}
    return {label: filled[label] if label in few else majority for label in counts}


def minorities(classes: Classes, label_n: np.ndarray) -> list[int]:
    """List the classes of fewer galaxies than the median class."""
    median = _median(classes, label_n)
    return [code for code in classes.codes if (label_n == code).sum() < int(median)]


def _median(classes: Classes, label_n: np.ndarray) -> float:
    """Return the median number of galaxies that are labelled with a class."""
    return float(np.median([(label_n == code).sum() for code in classes.codes]))


def generated(
    model: GalaxyModel, real: StampSet, label: int, n: int, sampling: Sampling, cache: Path
) -> StampSet:
    """Generate galaxies of a label, or take them from the cache; 8-bit, binned like real ones."""
    key = repr((model.checkpoint.sha256, sampling, label, n))
    path = cache / f"made-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npy"
    if not path.is_file():
        name = real.tree.nodes[label].name
        run = model.generate(name, n, seed=label, sampling=sampling)
        flux_nbhw = np.concatenate([np.asarray(batch.stamps_nbhw, np.float32) for batch in run])
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, to_8bit(to_display(flux_nbhw, display_stretch(run.info, flux_nbhw))))
    images, _ = bin_to_size(np.load(path), real.pixels.shape[1])
    ids = np.array([f"generated-{label}-{i}" for i in range(len(images))])
    codes = np.full(len(images), label, real.category.dtype)
    return replace(
        real, pixels=images, category=codes, ids=ids, group=ids, columns={}, source="generated"
    )
