"""Descriptions of columns where astropy looks for them: YAML in comments, not ``TCOMMn``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from galgen.columns import Column

_WIDTH = 70  # of a comment; a backslash behind it says that the line goes on


def described(columns: Sequence[Column]) -> Iterator[str]:
    """Yield comments that `astropy.table.Table.read` takes descriptions from.

    They are those that `Table.write` makes, but depend on no version of astropy.

    Parameters
    ----------
    columns : sequence of Column
        Columns of a table, in plain ASCII.
    """
    lines = ["datatype:"]
    for column in columns:
        if column.description:
            about = {"name": column.name, "datatype": "string", "description": column.description}
            lines.append(f"- {json.dumps(about)}")
    lines += ["meta:", "  __serialized_columns__: {}"]
    yield "--BEGIN-ASTROPY-SERIALIZED-COLUMNS--"
    for line in lines:
        pieces = [line[i : i + _WIDTH] for i in range(0, len(line), _WIDTH)]
        yield from (f"{piece}\\" for piece in pieces[:-1])
        yield pieces[-1]
    yield "--END-ASTROPY-SERIALIZED-COLUMNS--"
