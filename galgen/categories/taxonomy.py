"""`Taxonomy`: a tree of categories, made of rows that keep `galgen.categories.rules`."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from galgen.categories.rules import MAX_NODES, ROOT, Row, check_tree, key
from galgen.errors import InvalidValueError, UnknownCategoryError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ROOT", "Category", "Taxonomy"]


@dataclass(frozen=True)
class Category:
    """One node of a taxonomy.

    Attributes
    ----------
    code : int
        Number of the node in its tree, written to catalogues and baked into weights.
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


@dataclass(frozen=True, repr=False)
class Taxonomy:
    """A tree of categories.

    Parameters
    ----------
    rows : tuple of (name, parent, aliases)
        The nodes in the order of their codes, the root ``galaxy`` first. A parent is a name, of a
        node before its children; None for the root.

    Raises
    ------
    InvalidValueError
        If these make no tree, there are too many, or a name cannot be used or is there twice.
    """

    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        check_tree(self.rows)

    def __repr__(self) -> str:
        return f"Taxonomy({self.render_tree()!r})"

    @cached_property
    def nodes(self) -> tuple[Category, ...]:
        """All categories, in code order."""
        nodes: dict[str, Category] = {}
        for code, (name, parent, aliases) in enumerate(self.rows):
            nodes[name] = Category(code, name, nodes[parent] if parent else None, aliases)
        return tuple(nodes.values())

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Canonical names, in code order."""
        return tuple(name for name, _, _ in self.rows)

    @cached_property
    def _by_key(self) -> dict[str, Category]:
        """Categories by what spellings of their names and aliases have in common."""
        return {key(text): node for node in self.nodes for text in (node.name, *node.aliases)}

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, name_or_code: str | int | Category) -> Category:
        """Find a category by name, alias, path or code.

        Parameters
        ----------
        name_or_code : str, int or Category
            A canonical name (``barred-spiral``), an alias (``barred``), a path whose steps are
            nodes of one branch (``disk/spiral/barred``, ``spiral/barred``), or a code. Case does
            not matter, and underscores and spaces count as hyphens.

        Returns
        -------
        Category

        Raises
        ------
        UnknownCategoryError
            Names the closest category and lists the tree.
        """
        if isinstance(name_or_code, Category):
            if name_or_code not in self.nodes:
                raise self._unknown(name_or_code.name)
            return name_or_code
        if isinstance(name_or_code, str):
            return self._get_by_name(name_or_code)
        try:
            code = operator.index(name_or_code)
        except TypeError:
            raise self._unknown(name_or_code) from None
        if not 0 <= code < len(self):
            raise self._unknown(code)
        return self.nodes[code]

    def _get_by_name(self, name: str) -> Category:
        """Find a category by name, alias or path."""
        steps = name.strip().strip("/").split("/")
        nodes = [self._by_key.get(key(step)) for step in steps]
        node = nodes[-1]
        # A path must be the end of the true one, or "smooth/barred" would silently mean a spiral.
        if node is None or tuple(nodes) != self.path(node)[-len(nodes) :]:
            raise self._unknown(name, steps[-1])
        return node

    def _unknown(self, value: object, step: str | None = None) -> UnknownCategoryError:
        """Make an error that names the category closest to `step`."""
        close = difflib.get_close_matches(key(step), self._by_key, n=1) if step else []
        hint = f"Did you mean {self._by_key[close[0]].name!r}? " if close else ""
        return UnknownCategoryError(
            "category",
            value,
            f"a name, alias or path of the tree below, or a code 0..{len(self) - 1}",
            f"{hint}The tree:\n{self.render_tree()}",
        )

    def path(self, category: Category) -> tuple[Category, ...]:
        """Return the nodes from the root to `category`, both included."""
        above = self.path(category.parent) if category.parent else ()
        return (*above, category)

    def descendants(self, category: Category) -> tuple[Category, ...]:
        """Return `category` and every node below it, in code order."""
        below = {category.code}
        for node in self.nodes:  # a parent comes before its children
            if node.parent and node.parent.code in below:
                below.add(node.code)
        return tuple(node for node in self.nodes if node.code in below)

    def codes_below(self, category: str | int | Category) -> list[int]:
        """List the codes of a category and of every node below it.

        Raises
        ------
        UnknownCategoryError
            If there is no such category.
        """
        return [node.code for node in self.descendants(self.get(category))]

    def are_below(self, code_n: np.ndarray, category: str | int | Category) -> np.ndarray:
        """Tell which galaxies are of a category.

        Parameters
        ----------
        code_n : ndarray of int
            Their codes.
        category : str, int or Category
            The category; nodes below it are of it, too.

        Returns
        -------
        ndarray (n,) of bool
            Whether each is.

        Raises
        ------
        UnknownCategoryError
            If there is no such category.
        """
        import numpy as np

        return np.isin(code_n, self.codes_below(category))

    def leaves(self) -> tuple[Category, ...]:
        """Return the nodes without children, in code order."""
        parents = {node.parent.code for node in self.nodes if node.parent}
        return tuple(node for node in self.nodes if node.code not in parents)

    def path_matrix(self) -> np.ndarray:
        """Return multi-hot rows over the path of each node.

        Returns
        -------
        ndarray
            float32, as many rows and columns as there are nodes; entry (i, j) is 1 where node j is
            on the path from the root to node i. Times a table of node vectors, one a row, it gives
            the category embeddings.
        """
        import numpy as np  # here, so that listing categories does not pay for it

        matrix = np.zeros((len(self), len(self)), dtype=np.float32)
        for node in self.nodes:
            matrix[node.code, [above.code for above in self.path(node)]] = 1.0
        return matrix

    def render_tree(self) -> str:
        """Render the taxonomy as indented text, one node a line with its aliases."""
        lines = []

        def add(node: Category, depth: int) -> None:
            aliases = f"  ({', '.join(node.aliases)})" if node.aliases else ""
            lines.append("  " * depth + node.name + aliases)
            for child in self.nodes:
                if child.parent and child.parent.code == node.code:
                    add(child, depth + 1)

        add(self.nodes[0], 0)
        return "\n".join(lines)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the nodes as JSON has them, in the order of their codes."""
        return [
            {"name": name, "parent": parent, "aliases": list(aliases)}
            for name, parent, aliases in self.rows
        ]

    @classmethod
    def from_json(cls, nodes: Iterable[Mapping[str, Any]]) -> Self:
        """Make one of what `to_json` returned.

        Raises
        ------
        InvalidValueError
            If it is something else, or no tree that can be used.
        """
        if not isinstance(nodes, list):
            raise InvalidValueError("categories", type(nodes).__name__, "a list of nodes")
        rows = []
        for node in nodes[: MAX_NODES + 1]:
            match node:
                case {"name": str(name), "parent": str() | None as parent, "aliases": list(more)}:
                    if all(isinstance(alias, str) for alias in more):
                        rows.append((name, parent, tuple(more)))
                        continue
            allowed = "an object of name (text), parent (text or null) and aliases (texts)"
            raise InvalidValueError("node of the categories", repr(node)[:200], allowed)
        return cls(tuple(rows))
