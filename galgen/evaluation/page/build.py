"""The page as a whole: its sections in order, those left out that have nothing to show."""

from __future__ import annotations

import platform

from galgen import __version__
from galgen.evaluation.page import galleries, html, plots, tables
from galgen.evaluation.report import Evaluation


def build_page(found: Evaluation) -> str:
    """Return the HTML of an evaluation, which needs no other file and no network.

    Parameters
    ----------
    found : Evaluation
        With its exhibits.
    """
    parts = {
        "At a glance": tables.glance(found),
        "Galaxies": galleries.galaxies(found),
        "Distributions": plots.distributions(found),
        "Planes": plots.planes(found),
        "Told apart": tables.told_apart(found) + galleries.convincing(found),
        "Distances": tables.distances(found),
        "Fidelity": tables.fidelity(found),
        "Nearest neighbours": galleries.neighbours(found),
        "How it was made": _provenance(found),
    }
    title = f"{found.catalog['file']} beside {found.reference['source']}"
    sections = [(name, html.section(name, text)) for name, text in parts.items() if text]
    key = '<p><span class="key g">generated</span> &emsp; <span class="key r">real</span></p>'
    return html.page(title, key, sections)


def _provenance(found: Evaluation) -> str:
    """Say what was compared with what, and by which versions."""
    made = {k: v for k, v in found.catalog.items() if k != "versions" and v is not None}
    lists = [html.part("Catalogue", html.facts(made.items()))]
    lists.append(html.part("Real galaxies", html.facts(found.reference.items())))
    if found.train is not None:
        lists.append(html.part("Training galaxies", html.facts(found.train.items())))
    chosen = {"seed": found.seed, "random halvings": found.splits, "stamps each": found.stamps}
    versions = {"galgen": __version__, "python": platform.python_version(), **found.versions}
    lists.append(html.part("Evaluation", html.facts((chosen | versions).items())))
    return "".join(lists)
