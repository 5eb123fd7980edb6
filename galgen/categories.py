"""The morphological taxonomy: the only source of category names and codes.

The tree follows the questions of Galaxy Zoo 2 (Willett et al. 2013, fig. 1): smooth or disk first,
then roundness, bar, winding and bulge. A label may be any node, so "spiral, bar unknown" is as
usable as a leaf; the model embeds a category as the sum over its path from the root
(`path_matrix`).
"""

from __future__ import annotations

import difflib
import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from galgen.errors import InvalidValueError, UnknownCategoryError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Category:
    """One node of the taxonomy.

    Attributes
    ----------
    code : int
        Stable number, written to catalogues and baked into weights.
    name : str
        Canonical name, as used for folders and in ``CATEGORY_NAME`` columns.
    parent : Category or None
        None for the root, ``galaxy``.
    aliases : tuple of str
        Other accepted names.
    """

    code: int
    name: str
    parent: Category | None = field(default=None, repr=False)
    aliases: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


# Codes are row numbers of the embedding table of published weights and values in published
# catalogues: append new nodes at the end, never renumber or reuse one.
_NODES = (
    (0, "galaxy", None, ("unlabelled",)),
    (1, "smooth", "galaxy", ()),
    (2, "round-smooth", "smooth", ("round",)),
    (3, "in-between-smooth", "smooth", ("in-between",)),
    (4, "cigar-smooth", "smooth", ("cigar",)),
    (5, "disk", "galaxy", ()),
    (6, "spiral", "disk", ()),
    (7, "barred-spiral", "spiral", ("barred",)),
    (8, "tight-spiral", "spiral", ("tight",)),
    (9, "loose-spiral", "spiral", ("loose",)),
    (10, "edge-on", "disk", ()),
    (11, "edge-on-bulge", "edge-on", ("bulge",)),
    (12, "edge-on-no-bulge", "edge-on", ("no-bulge",)),
    (13, "merging", "galaxy", ()),
    (14, "disturbed", "galaxy", ()),
)

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


def _build() -> tuple[Category, ...]:
    nodes: dict[str, Category] = {}
    for code, name, parent, aliases in _NODES:
        nodes[name] = Category(code, name, nodes[parent] if parent else None, aliases)
    return tuple(nodes.values())


CATEGORIES: tuple[Category, ...] = _build()
_BY_NAME = {spelling: node for node in CATEGORIES for spelling in (node.name, *node.aliases)}


def get(name_or_code: str | int | Category) -> Category:
    """Find a category by name, alias, path or code.

    Parameters
    ----------
    name_or_code : str, int or Category
        A canonical name (``barred-spiral``), an alias (``barred``), a path whose steps are nodes of
        one branch (``disk/spiral/barred``, ``spiral/barred``), or a code. Case does not matter, and
        underscores count as hyphens.

    Returns
    -------
    Category

    Raises
    ------
    UnknownCategoryError
        Names the closest category and lists the tree.
    """
    if isinstance(name_or_code, Category):
        return name_or_code
    if isinstance(name_or_code, str):
        return _get_by_name(name_or_code)
    try:
        code = operator.index(name_or_code)
    except TypeError:
        raise _unknown(name_or_code) from None
    if not 0 <= code < len(CATEGORIES):
        raise _unknown(code)
    return CATEGORIES[code]


def _get_by_name(name: str) -> Category:
    steps = name.strip().strip("/").lower().replace("_", "-").split("/")
    nodes = [_BY_NAME.get(step.strip()) for step in steps]
    node = nodes[-1]
    # A path must be the end of the true one, or "smooth/barred" would silently mean a spiral.
    if node is None or tuple(nodes) != path(node)[-len(nodes) :]:
        raise _unknown(name, steps[-1])
    return node


def _unknown(value: object, step: str | None = None) -> UnknownCategoryError:
    close = difflib.get_close_matches(step, _BY_NAME, n=1) if step else []
    hint = f"Did you mean {_BY_NAME[close[0]].name!r}? " if close else ""
    return UnknownCategoryError(
        "category",
        value,
        f"a name, alias or path of the tree below, or a code 0..{len(CATEGORIES) - 1}",
        f"{hint}The tree:\n{render_tree()}",
    )


def path(category: Category) -> tuple[Category, ...]:
    """Nodes from the root to `category`, both included."""
    above = path(category.parent) if category.parent else ()
    return (*above, category)


def descendants(category: Category) -> tuple[Category, ...]:
    """`category` and every node below it, in code order."""
    return tuple(node for node in CATEGORIES if category in path(node))


def leaves() -> tuple[Category, ...]:
    """Nodes without children, in code order."""
    return tuple(node for node in CATEGORIES if len(descendants(node)) == 1)


def path_matrix() -> np.ndarray:
    """Multi-hot rows over the path of each node.

    Returns
    -------
    np.ndarray
        float32, shape (n, n) with n = ``len(CATEGORIES)``; entry (i, j) is 1 where node j is on the
        path from the root to node i. Times a (n, d) table of node vectors it gives the category
        embeddings.
    """
    import numpy as np  # here, so that listing categories does not pay for it

    matrix = np.zeros((len(CATEGORIES), len(CATEGORIES)), dtype=np.float32)
    for node in CATEGORIES:
        matrix[node.code, [above.code for above in path(node)]] = 1.0
    return matrix


def render_tree() -> str:
    """The taxonomy as indented text, one node a line with its aliases."""
    lines = []
    for node in CATEGORIES:  # code order is depth-first
        aliases = f"  ({', '.join(node.aliases)})" if node.aliases else ""
        lines.append("  " * (len(path(node)) - 1) + node.name + aliases)
    return "\n".join(lines)


def from_galaxy10(label: int) -> Category:
    """Category of a Galaxy10 DECaLS label 0..9."""
    if not 0 <= label < len(_GALAXY10):
        raise InvalidValueError("Galaxy10 label", label, f"0..{len(_GALAXY10) - 1}")
    return get(_GALAXY10[label])


def to_galaxy10(category: Category | str | int) -> int | None:
    """Galaxy10 DECaLS label of a category, or None where it has none (inner nodes)."""
    name = get(category).name
    return _GALAXY10.index(name) if name in _GALAXY10 else None


def from_paper(name: str) -> Category:
    """Category of one of the six names of the GalCatDiff paper.

    "unbarred spiral" is tight and loose spirals together, for which the nearest node is ``spiral``.
    """
    key = " ".join(name.lower().replace("_", " ").split())
    if key not in _FROM_PAPER:
        raise InvalidValueError("paper category", name, ", ".join(_FROM_PAPER))
    return get(_FROM_PAPER[key])


def to_paper(category: Category | str | int) -> str | None:
    """Name of a category in the GalCatDiff paper, or None where it has none.

    ``spiral`` has none: whether it is barred is not known.
    """
    return _TO_PAPER.get(get(category).name)
