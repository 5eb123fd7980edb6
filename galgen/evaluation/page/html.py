"""Pieces of a page: tables, figures and sections as HTML text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

_STYLE = Path(__file__).with_name("style.css")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """Return a table; the first cell of each row names it, the others are numbers.

    Cells are text. One that ends with an asterisk is marked.
    """
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(map(_cell, rest))}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="wide"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Return names and values as a list of definitions."""
    parts = (f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in pairs)
    return f"<dl>{''.join(parts)}</dl>"


def items(lines: Iterable[str]) -> str:
    """Return lines of text as a list."""
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def paragraph(text: str) -> str:
    """Return a paragraph of text."""
    return f"<p>{escape(text)}</p>"


def figure(drawing: str, caption: str) -> str:
    """Return a drawing or picture above its caption."""
    return f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"


def row(figures: Iterable[str]) -> str:
    """Return figures side by side, as many as there is room for."""
    return f'<div class="row">{"".join(figures)}</div>'


def section(title: str, *parts: str) -> str:
    """Return parts under a heading that a link can lead to."""
    return f'<section id="{anchor(title)}"><h2>{escape(title)}</h2>{"".join(parts)}</section>'


def part(title: str, *parts: str) -> str:
    """Return parts under a smaller heading."""
    return f"<h3>{escape(title)}</h3>{''.join(parts)}"


def folded(title: str, *parts: str) -> str:
    """Return parts that are shown when their title is clicked."""
    return f"<details><summary>{escape(title)}</summary>{''.join(parts)}</details>"


def anchor(title: str) -> str:
    """Name of a section in links."""
    return "-".join(title.lower().split())


def page(title: str, head: str, sections: Sequence[tuple[str, str]]) -> str:
    """Return a whole page that needs no other file.

    Parameters
    ----------
    title : str
        In the window and at the top.
    head : str
        HTML below the title.
    sections : sequence of (str, str)
        Titles, and what `section` has made of them.
    """
    links = "".join(f'<a href="#{anchor(name)}">{escape(name)}</a>' for name, _ in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en-GB"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE.read_text()}</style></head>\n"
        f"<body><header><h1>{escape(title)}</h1>{head}</header><nav>{links}</nav><main>\n"
        + "\n".join(text for _, text in sections)
        + "\n</main></body></html>\n"
    )


def _cell(text: str) -> str:
    """Return a cell with a number."""
    marked = ' class="marked"' if text.rstrip().endswith("*") else ""
    return f"<td{marked}>{escape(text)}</td>"
