"""Distances and two-sample tests, category by category."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from galgen.evaluation.chance import sample_size
from galgen.evaluation.distance import Comparison, compare
from galgen.evaluation.exhibits import Judged
from galgen.evaluation.feature_distance import FeatureComparison, compare_features
from galgen.evaluation.galaxies import Galaxies
from galgen.evaluation.joint import PlaneComparison, compare_plane, compared_planes
from galgen.evaluation.report import CategoryReport
from galgen.evaluation.two_sample import TwoSample, two_sample

MIN_SAMPLE = 10  # generated galaxies, and real ones in each half, below which nothing can be said
_PLANES, _SPACES = 1000, 2000  # streams of random numbers beside those of the columns


class ByCategory:
    """Compares the galaxies of a catalogue with real ones of the same category.

    Parameters
    ----------
    generated, real : Galaxies
        All of them.
    features : callable
        From pictures (n, H, W, 3) to features (n, C) by the name of their space; pictures are given
        to it where there are enough to be compared.
    splits, seed : int
        Random halvings, and their seed.

    Attributes
    ----------
    judged : dict of str to Judged
        By name of the category, what the first space has said of each galaxy.
    """

    def __init__(
        self,
        generated: Galaxies,
        real: Galaxies,
        features: Callable[[np.ndarray], dict[str, np.ndarray]],
        splits: int,
        seed: int,
    ) -> None:
        self._generated, self._real = generated, real
        self._features, self._splits, self._seed = features, splits, seed
        self.judged: dict[str, Judged] = {}

    def report(self, code: int) -> CategoryReport:
        """Compare the galaxies of one category."""
        ours, theirs = self._generated, self._real
        name = ours.tree.get(code).name
        rows, members = ours.rows(code), theirs.rows(code, below=True)
        pictures = ours.pictures(rows), theirs.pictures(members)
        told_apart, distances = self._spaces(code, name, *pictures)
        return CategoryReport(
            name=name,
            code=code,
            generated=len(rows),
            real=len(members),
            generated_seen=len(pictures[0]),
            real_seen=len(pictures[1]),
            generated_undetected=ours.undetected(rows),
            real_undetected=theirs.undetected(members),
            columns=self._columns(code, rows, members),
            planes=self._planes(code, rows, members),
            two_sample=told_apart,
            features=distances,
        )

    def _columns(self, code: int, rows: np.ndarray, members: np.ndarray) -> dict[str, Comparison]:
        """Compare one number at a time."""
        found = {}
        for i, name in enumerate(self._generated.values):
            made, real, group = self._values((name,), rows, members)
            if sample_size(len(made), len(real), group) >= MIN_SAMPLE:
                rng = np.random.default_rng((self._seed, code, i))
                found[name] = compare(made[:, 0], real[:, 0], self._splits, rng, group)
        return found

    def _planes(
        self, code: int, rows: np.ndarray, members: np.ndarray
    ) -> dict[str, PlaneComparison]:
        """Compare two numbers at a time."""
        found = {}
        for i, pair in enumerate(compared_planes(tuple(self._generated.values))):
            made, real, group = self._values(pair, rows, members)
            if sample_size(len(made), len(real), group) >= MIN_SAMPLE:
                rng = np.random.default_rng((self._seed, code, _PLANES + i))
                found[",".join(pair)] = compare_plane(made, real, self._splits, rng, group)
        return found

    def _values(
        self, names: tuple[str, ...], rows: np.ndarray, members: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values (n, k) and (m, k) of the galaxies of which all are known, and groups (m,)."""
        made = np.stack([self._generated.values[name][rows] for name in names], 1)
        real = np.stack([self._real.values[name][members] for name in names], 1)
        measured_n, measured_m = (np.isfinite(values).all(1) for values in (made, real))
        return made[measured_n], real[measured_m], self._real.group_n[members][measured_m]

    def _spaces(
        self, code: int, name: str, made: np.ndarray, real: np.ndarray
    ) -> tuple[dict[str, TwoSample], dict[str, FeatureComparison]]:
        """Tell pictures apart, and compare them, in each space of features."""
        told_apart: dict[str, TwoSample] = {}
        distances: dict[str, FeatureComparison] = {}
        group = self._real.group_n[self._real.seen_m[real]]
        if sample_size(len(made), len(real), group) < MIN_SAMPLE:
            return told_apart, distances
        ours = self._features(self._generated.images_mhwc[made])
        theirs = self._features(self._real.images_mhwc[real])
        for i, space in enumerate(ours):
            rng = np.random.default_rng((self._seed, code, _SPACES + i))
            told_apart[space], scores = two_sample(ours[space], theirs[space], rng, group)
            distances[space] = compare_features(ours[space], theirs[space], rng, group)
            self.judged.setdefault(name, Judged(space, made, real, scores))
        return told_apart, distances
