"""Print what `bench.ablation`, `bench.pareto` and `bench.population` found as tables.

``python -m bench.experiments [--page docs/experiments.md]`` puts them into the page.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.pages import table, tell
from bench.quality import CHOOSE, OVERALL, PIXELS, POPULATION, REPORT, SPREAD

RESULTS = Path(__file__).parent / "results"
LEVELS = ("0.03", "0.1", "0.2", "0.4", "0.8", "1.6", "4.0")
Results = dict[str, Any]


def with_error(pair: list[float] | None, digits: int = 2) -> str:
    """Return a value and its standard error."""
    if pair is None:
        return "-"
    return f"{pair[0]:.{digits}f} ± {pair[1]:.{digits}f}"


def difference(pair: list[float] | None, digits: int = 2) -> str:
    """Return a difference with its sign and standard error."""
    return "-" if pair is None else f"{pair[0]:+.{digits}f} ± {pair[1]:.{digits}f}"


def percent(row: Results) -> str:
    """Return how much larger errors are, with the errors by galaxies and by seeds."""
    if "difference" not in row:
        return "-"
    errors = "galaxies_error", "seeds_error"
    parts = [f"{100 * row[key]:.2f}" for key in errors if key in row]
    return f"{100 * row['difference']:+.2f} ± " + " ± ".join(parts)


def ablation(found: Results) -> str:
    """Return a row for each variant."""
    head = ["variant", "widths", "MFLOP", "runs", *LEVELS, "difference, %"]
    lines = []
    for name, row in found["variants"].items():
        errors = [f"{row['errors'][level]:.3g}" for level in LEVELS]
        widths = ", ".join(map(str, row["widths"]))
        cells = [name, widths, f"{row['mflop']:.0f}", str(len(row["seeds"]))]
        lines.append([*cells, *errors, percent(row)])
    return table(head, lines)


def averages(found: Results) -> str:
    """Return a row for each width of the average of weights."""
    names = {"0.0": "none"}
    lines = [[names.get(width, width), percent(row)] for width, row in found["averages"].items()]
    return table(["width", f"difference from {found['ema_relative_width']:g}, %"], lines)


def judged(row: Results) -> list[str]:
    """Return the cells that all tables of generated galaxies have."""
    return [
        with_error(row[OVERALL]),
        difference(row.get(f"{OVERALL}_difference")),
        with_error(row[POPULATION]),
        f"{row['by_column']['ASYMMETRY']:.2f}",
        with_error(row[SPREAD]),
        with_error(row[PIXELS]),
        f"{row['auc']['auc']:.3f}",
    ]


JUDGED = ["overall", "difference", "columns", "asymmetry", "spread", "pixels", "AUC"]


def pareto(found: Results, which: str = CHOOSE) -> str:
    """Return a row for each setting, the cheapest first."""
    if not found[which]:
        return "Not measured yet."
    shown = any("features_auc" in row for row in found[which])
    lines = [["*real*", "", *judged(found[f"{which}_real"]), *["-"] * shown]]
    for row in sorted(found[which], key=lambda row: (row["evaluations"], row[OVERALL][0])):
        name = row["setting"].replace(":", ", ")
        if row["dtype"] != "bfloat16":
            name += f" ({row['dtype']})"
        elif row["setting"] in found["front"] and which == CHOOSE:
            name = f"**{name}**"
        by_features = [f"{row['features_auc']['auc']:.3f}"] if shown else []
        lines.append([name, str(row["evaluations"]), *judged(row), *by_features])
    head = ["sampler, steps", "evaluations", *JUDGED, *["AUC, features"] * shown]
    return table(head, lines)


def population(found: Results) -> str:
    """Return a row for each way."""
    lines = [["*real*", "", *judged(found["real"])]]
    lines += [[row["name"], str(row["evaluations"]), *judged(row)] for row in found["ways"]]
    return table(["way", "evaluations", *JUDGED], lines)


# Name of the mark in the page, file of results, table.
TABLES: dict[str, tuple[str, Callable[[Results], str]]] = {
    "ablation": ("ablation", ablation),
    "averages": ("ablation", averages),
    "pareto": ("pareto", pareto),
    "pareto-report": ("pareto", lambda found: pareto(found, REPORT)),
    "population": ("population", population),
}


def main(
    page: Annotated[Path | None, typer.Option(help="Put them there, between the marks.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of the JSONs.")] = RESULTS,
) -> None:
    """Print the tables, or put them into a page."""
    for name, (file, render) in TABLES.items():
        text = render(json.loads((results / f"{file}.json").read_text()))
        tell(text, page, name, "bench.experiments")


if __name__ == "__main__":
    typer.run(main)
