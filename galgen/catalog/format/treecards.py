"""A tree of categories as cards of a primary header, and back."""

from __future__ import annotations

from collections.abc import Iterator

from astropy.io import fits

from galgen.categories import DEFAULT, Taxonomy

Card = tuple[str, str | int, str]


def tree_cards(tree: Taxonomy) -> Iterator[Card]:
    """Yield the keyword, value and comment of each card.

    ``NCAT`` categories, of which ``CATnnn`` is the name of code nnn. Of trees other than the
    default one, whose parents and aliases are known, ``PCATnnn`` is the code of what nnn is a kind
    of, and ``ACATnnn`` are its aliases with commas.
    """
    yield "NCAT", len(tree), "categories of the taxonomy"
    for node in tree.nodes:
        above = f"a kind of {node.parent}" if node.parent else "any"
        yield f"CAT{node.code:03d}", node.name, above
    if tree == DEFAULT:
        return
    for node in tree.nodes:
        if node.parent is not None:
            yield f"PCAT{node.code:03d}", node.parent.code, f"code of what {node} is a kind of"
    for node in tree.nodes:
        if node.aliases:
            yield f"ACAT{node.code:03d}", ",".join(node.aliases), f"other names of {node}"


def read_tree(header: fits.Header) -> Taxonomy:
    """Read the tree that `tree_cards` wrote, or return the default one where no parents are.

    Raises
    ------
    KeyError
        If a card is missing.
    ValueError
        If the cards make no tree.
    """
    if "PCAT001" not in header:
        return DEFAULT
    names = [str(header[f"CAT{code:03d}"]) for code in range(int(header["NCAT"]))]
    parents = [None, *(names[header[f"PCAT{code:03d}"]] for code in range(1, len(names)))]
    aliases = [str(header.get(f"ACAT{code:03d}", "")) for code in range(len(names))]
    listed = [tuple(filter(None, text.split(","))) for text in aliases]
    return Taxonomy(tuple(zip(names, parents, listed, strict=True)))
