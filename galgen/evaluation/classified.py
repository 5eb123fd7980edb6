"""Categories asked for against what a classifier sees, generated galaxies beside real ones."""

from __future__ import annotations

import numpy as np

from galgen.categories import Taxonomy
from galgen.evaluation.classifier import MorphologyClassifier
from galgen.evaluation.fidelity import CategoryFidelity, category_fidelity
from galgen.evaluation.galaxies import Galaxies

_NONE = -1  # of no kind


def compare_classes(
    generated: Galaxies, real: Galaxies, classifier: MorphologyClassifier
) -> CategoryFidelity | None:
    """Classify all pictures, and count how many are what was asked for, or what their label says.

    Parameters
    ----------
    generated, real : Galaxies
        Those whose pictures are classified.
    classifier : MorphologyClassifier
        Which has learned from other galaxies.

    Returns
    -------
    CategoryFidelity or None
        Over the kinds that `kinds` finds; None if there are not two.
    """
    codes = kinds(generated.tree, np.unique(generated.category_n), classifier.classes.codes)
    if len(codes) < 2:
        return None
    tree = generated.tree
    of_class = kind_of(tree, np.array(classifier.classes.codes), codes)
    sets = []
    for galaxies in (generated, real):
        asked_m = kind_of(tree, galaxies.category_n[galaxies.seen_m], codes)
        seen = np.flatnonzero(asked_m != _NONE)
        p_nk = classifier.probabilities(galaxies.images_mhwc[seen])
        # A kind has the probability of all classes that are of it.
        of_kind = np.stack([p_nk[:, of_class == k].sum(1) for k in range(len(codes))], 1)
        sets.append((asked_m[seen], of_kind.argmax(1)))
    names = tuple(tree.nodes[code].name for code in codes)
    return category_fidelity(*sets[0], *sets[1], names)


def kinds(tree: Taxonomy, asked: np.ndarray, classes: tuple[int, ...]) -> list[int]:
    """Find the kinds that exclude each other: of nested categories asked for the outermost.

    Parameters
    ----------
    tree : Taxonomy
        The categories.
    asked : ndarray of int
        Codes asked for.
    classes : tuple of int
        Codes that a classifier can say; a kind has one or more of them.
    """
    path = tree.path_matrix().astype(bool)
    codes = [int(code) for code in asked if path[list(classes), code].any() and code != 0]
    return [c for c in codes if not any(path[c, other] for other in codes if other != c)]


def kind_of(tree: Taxonomy, code_n: np.ndarray, codes: list[int]) -> np.ndarray:
    """Return which of some kinds each category is or lies below, -1 for none; (N,) int."""
    path = tree.path_matrix().astype(bool)
    is_nk = path[code_n][:, codes]
    return np.where(is_nk.any(1), is_nk.argmax(1), _NONE)
