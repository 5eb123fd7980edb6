"""Tables of results in pages: in markdown, between marks that say what put them there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import typer


def table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """Return a table of markdown."""
    head = list(head)
    every = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in every)


def put(page: Path, name: str, text: str, by: str | None = None) -> None:
    """Put `text` between the marks of a page that are for `name` by a module.

    The module is ``bench.<name>.table`` unless it is given.
    """
    begin, end = f"<!-- {name}: by {by or f'bench.{name}.table'} -->", f"<!-- /{name} -->"
    before, mark, rest = page.read_text().partition(begin)
    if not mark or end not in rest:
        raise typer.BadParameter(f"{page} has no {begin} ... {end}")
    after = rest.partition(end)[2]
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def tell(text: str, page: Path | None, name: str, by: str | None = None) -> None:
    """Print `text`, or `put` it into a page."""
    if page is None:
        print(text)
    else:
        put(page, name, text, by)
