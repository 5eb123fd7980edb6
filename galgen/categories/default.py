"""The morphological taxonomy of galgen, the default tree, and its codes.

The tree follows the questions of Galaxy Zoo 2 (Willett et al. 2013, fig. 1): smooth or disk first,
then roundness, bar, winding and bulge. A label may be any node, so "spiral, bar unknown" is as
usable as a leaf; the model embeds a category as the sum over its path from the root
(`path_matrix`).

Weights that were trained on other categories have a `Taxonomy` of their own, and so have their
catalogues: what is done with either asks theirs. The functions here are those of the default tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from galgen.categories.taxonomy import Category, Taxonomy
from galgen.errors import InvalidValueError

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "CATEGORIES",
    "DEFAULT",
    "Category",
    "Taxonomy",
    "descendants",
    "from_galaxy10",
    "from_paper",
    "get",
    "leaves",
    "path",
    "path_matrix",
    "render_tree",
    "to_galaxy10",
    "to_paper",
]

# Codes, the places in this list, are row numbers of the embedding table of published weights and
# values in published catalogues: append new nodes at the end, never move or remove one.
DEFAULT = Taxonomy(
    (
        ("galaxy", None, ("unlabelled",)),
        ("smooth", "galaxy", ()),
        ("round-smooth", "smooth", ("round",)),
        ("in-between-smooth", "smooth", ("in-between",)),
        ("cigar-smooth", "smooth", ("cigar",)),
        ("disk", "galaxy", ()),
        ("spiral", "disk", ()),
        ("barred-spiral", "spiral", ("barred",)),
        ("tight-spiral", "spiral", ("tight",)),
        ("loose-spiral", "spiral", ("loose",)),
        ("edge-on", "disk", ()),
        ("edge-on-bulge", "edge-on", ("bulge",)),
        ("edge-on-no-bulge", "edge-on", ("no-bulge",)),
        ("merging", "galaxy", ()),
        ("disturbed", "galaxy", ()),
    )
)
CATEGORIES: tuple[Category, ...] = DEFAULT.nodes

# The ten classes of Galaxy10 DECaLS, by label (https://astronn.readthedocs.io, "Galaxy10 DECaLS").
_GALAXY10 = (
    "disturbed",
    "merging",
    "round-smooth",
    "in-between-smooth",
    "cigar-smooth",
    "barred-spiral",
    "tight-spiral",
    "loose-spiral",
    "edge-on-no-bulge",
    "edge-on-bulge",
)

# The six categories of the GalCatDiff paper; tight and loose spirals are merged there.
_TO_PAPER = {
    "round-smooth": "round",
    "in-between-smooth": "in-between",
    "barred-spiral": "barred spiral",
    "tight-spiral": "unbarred spiral",
    "loose-spiral": "unbarred spiral",
    "edge-on-no-bulge": "edge-on without bulge",
    "edge-on-bulge": "edge-on with bulge",
}
_FROM_PAPER = {paper: name for name, paper in _TO_PAPER.items()} | {"unbarred spiral": "spiral"}


def get(name_or_code: str | int | Category) -> Category:
    """Find a category of the default tree; see `Taxonomy.get`.

    Raises
    ------
    UnknownCategoryError
        Names the closest category and lists the tree.
    """
    return DEFAULT.get(name_or_code)


def path(category: Category) -> tuple[Category, ...]:
    """Return the nodes from the root to `category`, both included."""
    return DEFAULT.path(category)


def descendants(category: Category) -> tuple[Category, ...]:
    """Return `category` and every node of the default tree below it, in code order."""
    return DEFAULT.descendants(category)


def leaves() -> tuple[Category, ...]:
    """Return the nodes of the default tree without children, in code order."""
    return DEFAULT.leaves()


def path_matrix() -> np.ndarray:
    """Return multi-hot rows over the path of each node; see `Taxonomy.path_matrix`."""
    return DEFAULT.path_matrix()


def render_tree() -> str:
    """Render the default tree as indented text, one node a line with its aliases."""
    return DEFAULT.render_tree()


def from_galaxy10(label: int) -> Category:
    """Find the category of a Galaxy10 DECaLS label.

    Raises
    ------
    InvalidValueError
        Unless it is 0 to 9.
    """
    if not 0 <= label < len(_GALAXY10):
        raise InvalidValueError("Galaxy10 label", label, f"0..{len(_GALAXY10) - 1}")
    return get(_GALAXY10[label])


def to_galaxy10(category: Category | str | int) -> int | None:
    """Return the Galaxy10 DECaLS label of a category, or None where it has none (inner nodes).

    Raises
    ------
    UnknownCategoryError
        If there is no such category.
    """
    name = get(category).name
    return _GALAXY10.index(name) if name in _GALAXY10 else None


def from_paper(name: str) -> Category:
    """Find the category of one of the six names of the GalCatDiff paper.

    "unbarred spiral" is tight and loose spirals together, for which the nearest node is ``spiral``.

    Raises
    ------
    InvalidValueError
        If it is none of the six.
    """
    key = " ".join(name.lower().replace("_", " ").split())
    if key not in _FROM_PAPER:
        raise InvalidValueError("paper category", name, ", ".join(_FROM_PAPER))
    return get(_FROM_PAPER[key])


def to_paper(category: Category | str | int) -> str | None:
    """Return the name of a category in the GalCatDiff paper, or None where it has none.

    ``spiral`` has none: whether it is barred is not known.

    Raises
    ------
    UnknownCategoryError
        If there is no such category.
    """
    return _TO_PAPER.get(get(category).name)
