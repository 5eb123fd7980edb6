"""What a classifier can tell apart, when labels are nodes of a tree of unequal depth.

``spiral`` says nothing of the bar: a galaxy labelled so may be a ``barred-spiral`` or not, and is
no evidence against a classifier that takes it for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from galgen.categories import Category, Taxonomy
from galgen.errors import DataError


@dataclass(frozen=True)
class Classes:
    """The finest kinds that labels tell apart: each galaxy is of one of them.

    A category is a class if galaxies are labelled with it and its parts, if any, cannot be told
    apart: no galaxy of any part is there, or of one only, to whose label it belongs then. So of
    ``spiral`` and ``barred-spiral`` alone the class is ``spiral``, as no galaxy is known to lack a
    bar; of ``spiral``, ``barred-spiral`` and ``tight-spiral`` the two last are classes.

    Attributes
    ----------
    tree : Taxonomy
        Of the labels.
    codes : tuple of int
        Codes of the K classes, in code order.
    judged : tuple of int
        Codes of the labels that a prediction can be judged by: the classes, and what galaxies are
        labelled with that holds more than one class but not all.
    """

    tree: Taxonomy
    codes: tuple[int, ...]
    judged: tuple[int, ...]

    @classmethod
    def of(cls, tree: Taxonomy, label_n: np.ndarray) -> Classes:
        """Find the classes of labelled galaxies.

        Parameters
        ----------
        tree : Taxonomy
            Of the labels.
        label_n : ndarray (N,) of int
            Category codes; those of the root say nothing.

        Raises
        ------
        DataError
            If there are fewer than two.
        """
        present = set(np.unique(label_n).tolist()) - {0}
        codes = sorted(_classes(tree, tree.nodes[0], present))
        if len(codes) < 2:
            names = ", ".join(tree.nodes[code].name for code in sorted(present)) or "none"
            raise DataError(
                f"a classifier needs galaxies of two categories or more that exclude each other; "
                f"there are: {names}."
            )
        below = tree.path_matrix().astype(bool)[codes].sum(0)
        inner = {code for code in present if 1 < below[code] < len(codes)}
        return cls(tree, tuple(codes), tuple(sorted(inner.union(codes))))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the K classes."""
        return tuple(self.tree.nodes[code].name for code in self.codes)

    @cached_property
    def compatible(self) -> np.ndarray:
        """Whether a galaxy of a label may be of a class, (codes of the tree, K) bool."""
        path = self.tree.path_matrix().astype(bool)
        either: np.ndarray = (path | path.T)[:, list(self.codes)]  # one lies below the other
        return either

    def says_something(self, label_n: np.ndarray) -> np.ndarray:
        """Tell which labels exclude a class, and none says that it is of no class; (N,) bool."""
        possible_nk = self.compatible[label_n]
        says: np.ndarray = possible_nk.any(1) & ~possible_nk.all(1)
        return says


def _classes(tree: Taxonomy, node: Category, present: set[int]) -> list[int]:
    """Return the classes at and below a node, see `Classes`."""
    children = [child for child in tree.nodes if child.parent == node]
    found = [code for child in children for code in _classes(tree, child, present)]
    return [node.code] if len(found) < 2 and node.code in present else found


def agree(tree: Taxonomy, label_n: np.ndarray, predicted_n: np.ndarray) -> np.ndarray:
    """Tell which predictions do not contradict the label: one lies on the other's path; (N,) bool.

    Parameters
    ----------
    tree : Taxonomy
        Of both.
    label_n, predicted_n : ndarray (N,) of int
        Category codes.
    """
    path = tree.path_matrix().astype(bool)
    both: np.ndarray = (path | path.T)[label_n, predicted_n]
    return both


@dataclass(frozen=True)
class CategoryScore:
    """How well galaxies of a category are found.

    Attributes
    ----------
    galaxies : int
        Labelled with it or anything below it.
    precision, recall, f1 : float
        Of the galaxies classified so, how many are; of those that are, how many are classified so;
        their harmonic mean. Galaxies of which it is not known, as they are labelled with something
        above it, do not count. NaN where there are no galaxies to say it of.
    """

    galaxies: int
    precision: float
    recall: float
    f1: float


def scores(
    classes: Classes, label_n: np.ndarray, predicted_n: np.ndarray
) -> dict[str, CategoryScore]:
    """Score predicted classes by category.

    Parameters
    ----------
    classes : Classes
        What was told apart.
    label_n, predicted_n : ndarray (N,) of int
        Codes of labels, of any depth, and of predicted classes.

    Returns
    -------
    dict of str to CategoryScore
        By name, of `Classes.judged`.
    """
    path = classes.tree.path_matrix().astype(bool)
    found = {}
    for category in (classes.tree.nodes[code] for code in classes.judged):
        is_n, said_n = path[label_n, category.code], path[predicted_n, category.code]
        known_n = is_n | ~path[category.code, label_n]
        right = int((is_n & said_n).sum())
        found[category.name] = CategoryScore(
            galaxies=int(is_n.sum()),
            precision=_ratio(right, int((said_n & known_n).sum())),
            recall=_ratio(right, int(is_n.sum())),
            f1=_ratio(2 * right, int((said_n & known_n).sum()) + int(is_n.sum())),
        )
    return found


def macro_f1(found: dict[str, CategoryScore], least: int = 1) -> float:
    """Return the mean F1 over the categories of `least` galaxies or more; NaN if there are none."""
    f1 = [score.f1 for score in found.values() if score.galaxies >= least]
    return float(np.mean(f1)) if f1 else float("nan")


def confusion(classes: Classes, label_n: np.ndarray, predicted_n: np.ndarray) -> np.ndarray:
    """Count galaxies by label and predicted class, (codes of the tree, K) int."""
    counts = np.zeros((len(classes.tree), len(classes.codes)), int)
    np.add.at(counts, (label_n, np.searchsorted(classes.codes, predicted_n)), 1)
    return counts


def _ratio(part: int, whole: int) -> float:
    """Return a fraction, NaN of nothing."""
    return part / whole if whole else float("nan")
