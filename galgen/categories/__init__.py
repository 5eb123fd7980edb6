"""Morphological categories: trees of names with codes, and galgen's own tree."""

from galgen.categories.default import (
    CATEGORIES,
    DEFAULT,
    descendants,
    from_galaxy10,
    from_paper,
    get,
    leaves,
    path,
    path_matrix,
    render_tree,
    to_galaxy10,
    to_paper,
)
from galgen.categories.rules import MAX_DEPTH, ROOT
from galgen.categories.synonyms import SYNONYMS, nearest
from galgen.categories.taxonomy import Category, Taxonomy

__all__ = [
    "CATEGORIES",
    "DEFAULT",
    "MAX_DEPTH",
    "ROOT",
    "SYNONYMS",
    "Category",
    "Taxonomy",
    "descendants",
    "from_galaxy10",
    "from_paper",
    "get",
    "leaves",
    "nearest",
    "path",
    "path_matrix",
    "render_tree",
    "to_galaxy10",
    "to_paper",
]
