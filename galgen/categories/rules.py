"""The rules that every tree of categories keeps.

Trees come from people (`galgen.categories.treefile`), from weights and from catalogues. The rules
are checked wherever one is made, so that a name that is in a tree can be a folder, part of a path
or a mixture, and an entry of the column ``CATEGORY_NAME``.
"""

from __future__ import annotations

import re

from galgen.errors import InvalidValueError

ROOT = "galaxy"
MAX_NODES = 256  # a header has up to three cards for each
MAX_DEPTH = 16
MAX_NAME = 18  # characters of the column CATEGORY_NAME
MAX_ALIAS, MAX_ALIASES = 64, 500  # characters; of all nodes together
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9+_-]*")
_ALIAS = re.compile(r"[ -~]+")  # printable ASCII, what FITS can hold
_SEPARATORS = frozenset(',:/\\"')  # of mixtures, paths, tables and JSON
_NAMES_ALLOWED = (
    f"1 to {MAX_NAME} letters, digits and '-', '_', '+', a letter first, and no name that Windows "
    "keeps for devices"
)
_ALIASES_ALLOWED = f'1 to {MAX_ALIAS} printable ASCII characters, none of them , : / \\ "'
_DEVICES = {"con", "prn", "aux", "nul"} | {f"{d}{i}" for d in ("com", "lpt") for i in range(1, 10)}

Row = tuple[str, str | None, tuple[str, ...]]  # name, parent, aliases


def check_tree(rows: tuple[Row, ...]) -> None:
    """Refuse rows that make no tree.

    Parameters
    ----------
    rows : tuple of (name, parent, aliases)
        See `galgen.categories.taxonomy.Taxonomy`.

    Raises
    ------
    InvalidValueError
        If they make no tree, there are too many, or a name cannot be used or is there twice.
    """
    if not 2 <= len(rows) <= MAX_NODES:
        allowed = f"2 to {MAX_NODES}, the root {ROOT!r} included"
        raise InvalidValueError("number of categories", len(rows), allowed)
    for name, _, aliases in rows:
        _check_spellings(name, aliases)
    if rows[0][:2] != (ROOT, None):
        raise InvalidValueError("first category", rows[0][0], f"{ROOT!r}, without parent")
    if (n := sum(len(aliases) for _, _, aliases in rows)) > MAX_ALIASES:
        raise InvalidValueError("number of aliases", n, f"up to {MAX_ALIASES}")
    depth: dict[str, int] = {}
    spellings: dict[str, str] = {}
    for name, parent, aliases in rows:
        for spelling in (name, *aliases):
            if (other := spellings.setdefault(key(spelling), name)) != name or name in depth:
                raise InvalidValueError(
                    "category name or alias",
                    spelling,
                    "each once in a tree, whatever the case, '_' the same as '-'",
                    f"It is given for {other} and for {name}.",
                )
        if depth and parent not in depth:
            allowed = "the name of a category that comes before it"
            raise InvalidValueError(f"parent of {name}", parent and parent[:200], allowed)
        depth[name] = 0 if parent is None else depth[parent] + 1
        if depth[name] > MAX_DEPTH:
            raise InvalidValueError(f"depth of {name}", depth[name], f"up to {MAX_DEPTH}")


def key(text: str) -> str:
    """Return what spellings of one name have in common."""
    return "-".join(text.split()).lower().replace("_", "-")


def _check_spellings(name: str, aliases: tuple[str, ...]) -> None:
    """Refuse names and aliases that cannot be folders, parts of mixtures or entries of a column."""
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME or name.lower() in _DEVICES:
        hint = "Another spelling, such as that of a folder, can be an alias of it."
        raise InvalidValueError("category name", name[:200], _NAMES_ALLOWED, hint)
    for alias in aliases:
        good = _ALIAS.fullmatch(alias) and alias.strip() and not _SEPARATORS.intersection(alias)
        if not good or len(alias) > MAX_ALIAS:
            raise InvalidValueError(f"alias of {name}", alias[:200], _ALIASES_ALLOWED)
