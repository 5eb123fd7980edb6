"""Trees of categories that people write: nested names in YAML.

::

    early-type:
      elliptical: {aliases: [E, ell]}
      lenticular: {aliases: [S0]}
    spiral: [barred, unbarred]
    merger:

They are the kinds of ``galaxy``, which may be written too, as the only name at the top. The file is
taken apart as text: no number, date or object is made of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from galgen.categories.rules import MAX_DEPTH, ROOT, Row
from galgen.categories.taxonomy import Taxonomy
from galgen.errors import DataError, reading
from galgen.system.inputs import open_input

MAX_BYTES = 1 << 16
ALIASES = "aliases"
UNLABELLED = "unlabelled"  # the root's own alias, in every tree: galaxies without a label
_NULL = "tag:yaml.org,2002:null"


def read_tree(path: str | Path) -> Taxonomy:
    """Read a tree of categories from a YAML file.

    Parameters
    ----------
    path : str or Path
        A mapping of names to what is below them: a mapping, a list of names, or nothing. A list
        ``aliases`` in a mapping gives other names of what it belongs to.

    Returns
    -------
    Taxonomy
        The tree, with codes in the order of the file.

    Raises
    ------
    DataError
        If the file cannot be read, is longer than 64 KiB, is nested too deeply, or holds something
        else than such names; or a name cannot be used or is there twice. Names file and line where
        it can.
    """
    path = Path(path)
    with reading(path, "a tree of categories", values=True):
        with open_input(path) as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise DataError(f"{path}: is longer than {MAX_BYTES} bytes; no tree of categories is.")
        top = yaml.compose(raw, _Loader)
        if top is None or not (below := list(_below(top))):
            raise DataError(f"{path}: no categories in it. Write a name and ':' on each line.")
        if [name.value for name, _ in below] == [ROOT]:
            top = below[0][1]
        root = ROOT, None, (UNLABELLED, *_aliases(top))
        return Taxonomy((root, *_rows(_below(top), ROOT)))


class _Loader(yaml.SafeLoader):
    """Refuses references, with which few lines are a huge tree, and deep nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node, see `yaml.composer.Composer`; raise `yaml.YAMLError` if it is refused."""
        mark = self.peek_event().start_mark
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="references (*) are not allowed", problem_mark=mark)
        self.depth += 1
        if self.depth > 2 * MAX_DEPTH + 2:  # a list of mappings is two levels of one tree
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


Pair = tuple[yaml.ScalarNode, yaml.Node | None]


def _rows(pairs: Iterator[Pair] | list[Pair], parent: str) -> Iterator[Row]:
    """Yield the rows of a `Taxonomy` below a node, each branch to its end."""
    for node, value in pairs:
        name = "-".join(node.value.split())
        yield name, parent, tuple(_aliases(value))
        yield from _rows(_below(value), name)


def _below(value: yaml.Node | None) -> Iterator[Pair]:
    """Yield names, and what is below each of them."""
    if isinstance(value, yaml.MappingNode):
        for key, content in value.value:
            if _text(key).value != ALIASES:
                yield key, content
    elif isinstance(value, yaml.SequenceNode):
        for item in value.value:
            if isinstance(item, yaml.MappingNode):
                yield from _below(item)
            else:
                yield _text(item), None
    elif value is not None and value.tag != _NULL:
        raise _wrong(value, "names: a list of them, or each followed by ':'")


def _aliases(value: yaml.Node | None) -> Iterator[str]:
    """Yield the aliases of what a mapping belongs to."""
    for key, content in value.value if isinstance(value, yaml.MappingNode) else ():
        if _text(key).value == ALIASES:
            if not isinstance(content, yaml.SequenceNode):
                raise _wrong(content, "a list of aliases")
            yield from (_text(item).value for item in content.value)


def _text(node: yaml.Node) -> yaml.ScalarNode:
    """Take a node for a name, or refuse it."""
    if not isinstance(node, yaml.ScalarNode) or node.tag == _NULL:
        raise _wrong(node, "a name")
    return node


def _wrong(node: yaml.Node, expected: str) -> yaml.YAMLError:
    """Make an error that names the line of a node."""
    return yaml.MarkedYAMLError(problem=f"expected {expected}", problem_mark=node.start_mark)
