"""Words that people use for galaxies and that galgen's own tree does not have: the nearest node."""

from __future__ import annotations

import warnings

from galgen.categories.default import DEFAULT
from galgen.categories.rules import key
from galgen.categories.taxonomy import Category, Taxonomy
from galgen.errors import GalgenWarning, UnknownCategoryError

__all__ = ["SYNONYMS", "nearest"]

# The questions of Galaxy Zoo are about looks: ellipticals and most lenticulars look smooth.
SYNONYMS = {
    "elliptical": "smooth",
    "ellipticals": "smooth",
    "E": "smooth",
    "early-type": "smooth",
    "early": "smooth",
    "spheroid": "smooth",
    "spheroidal": "smooth",
    "lenticular": "smooth",
    "lenticulars": "smooth",
    "S0": "smooth",
    "late-type": "disk",
    "late": "disk",
    "disc": "disk",
    "discs": "disk",
    "disks": "disk",
    "spirals": "spiral",
    "unbarred": "spiral",
    "unbarred-spiral": "spiral",
    "bar": "barred-spiral",
    "SB": "barred-spiral",
    "edgeon": "edge-on",
    "edge-on-disk": "edge-on",
    "cigar-shaped": "cigar-smooth",
    "merger": "merging",
    "mergers": "merging",
    "interacting": "merging",
    "irregular": "disturbed",
    "Irr": "disturbed",
    "peculiar": "disturbed",
}
_BY_KEY = {key(word): name for word, name in SYNONYMS.items()}


def nearest(name: str | int, tree: Taxonomy = DEFAULT) -> Category:
    """Find the category that is asked for by a name, or the nearest to it.

    Parameters
    ----------
    name : str or int
        What `Taxonomy.get` takes, or of galgen's own tree one of `SYNONYMS`, for which a
        `GalgenWarning` says what is taken instead.
    tree : Taxonomy
        Where to look.

    Returns
    -------
    Category
        Of the tree.

    Raises
    ------
    UnknownCategoryError
        If there is none.
    """
    try:
        return tree.get(name)
    except UnknownCategoryError:
        if tree != DEFAULT or not isinstance(name, str) or key(name) not in _BY_KEY:
            raise
    found = tree.get(_BY_KEY[key(name)])
    warnings.warn(
        f"{name.strip()!r} is no category of galgen's; the nearest, {found.name!r}, is taken. "
        "Catalogues say so, too.",
        GalgenWarning,
        stacklevel=1,  # one place for all who ask, so that Python says it once
    )
    return found
