"""Trees of categories that are not galgen's own, awkward ones among them."""

from __future__ import annotations

from itertools import pairwise

from galgen.categories import CATEGORIES, DEFAULT
from galgen.categories.rules import (
    MAX_ALIAS,
    MAX_ALIASES,
    MAX_DEPTH,
    MAX_NAME,
    MAX_NODES,
    ROOT,
)
from galgen.categories.taxonomy import Taxonomy

TOP = (ROOT, None, ("unlabelled",))


def _longest() -> Taxonomy:
    """As many nodes and aliases as there may be, all of them as long as they may be."""
    names = [f"n{i:0{MAX_NAME - 1}}" for i in range(MAX_NODES - 1)]
    aliases = [f"a{i:0{MAX_ALIAS - 1}}" for i in range(MAX_ALIASES - 1)]
    each = -(-len(aliases) // len(names))
    rows = [(name, ROOT, tuple(aliases[i * each : (i + 1) * each])) for i, name in enumerate(names)]
    return Taxonomy((TOP, *rows))


def _deepest() -> Taxonomy:
    names = [ROOT, *(f"level-{i}" for i in range(1, MAX_DEPTH + 1))]
    rows = [(name, above, ()) for above, name in pairwise(names)]
    return Taxonomy((TOP, *rows))


TREES = {
    "two": Taxonomy((TOP, ("lenticular", ROOT, ("S0",)), ("ring", ROOT, ()))),
    "one below": Taxonomy(((ROOT, None, ()), ("E+A", ROOT, ()))),
    "nested": Taxonomy(
        (
            TOP,
            ("Early", ROOT, ("early type", "1's")),
            ("elliptical", "Early", ("E", "ell")),
            ("late_type", ROOT, ()),
            ("lenticular", "Early", ("S0", "0")),  # code order is not depth-first
        )
    ),
    # The names of the default tree with other parents or codes, so that mixing them up shows.
    "default, flat": Taxonomy((TOP, *((node.name, ROOT, ()) for node in CATEGORIES[1:]))),
    "default, backwards": Taxonomy((TOP, *((n.name, ROOT, ()) for n in CATEGORIES[:0:-1]))),
    "default and one more": Taxonomy((*DEFAULT.rows, ("lenticular", "smooth", ()))),
    "default without aliases": Taxonomy(tuple((*row[:2], ()) for row in DEFAULT.rows)),
    "longest": _longest(),
    "deepest": _deepest(),
}
