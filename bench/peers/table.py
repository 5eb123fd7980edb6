"""Print what `python -m bench.peers` found as the tables of docs/performance.md.

python -m bench.peers.table bench/results/peers.json [--page docs/performance.md]
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.pages import table, tell

Row = dict[str, Any]
MILLION = 1_000_000


def number(value: float) -> str:
    """Three digits that count, and commas."""
    digits = next((d for limit, d in ((1, 3), (10, 2), (100, 1)) if abs(value) < limit), 0)
    return f"{value:,.{digits}f}"


def cell(row: Row | None, figure: str) -> str:
    """Median and spread, or why there are none."""
    if row is None:
        return "not measured yet"
    if "left_out" in row:
        return f"left out: {row['left_out']}"
    found = row["figures"].get(figure)
    if found is None:
        return "not measured yet"
    median = number(found["median"])
    if len(row["turns"]) == 1:
        return median
    return f"{median} ({number(found['lowest'])} to {number(found['highest'])})"


def best(rows: list[Row], figure: str) -> Row:
    """Return the row whose median is highest; of rows without figures, the first."""
    return max(rows, key=lambda row: row["figures"].get(figure, {"median": -1})["median"])


def rows_of(results: Row, part: str, contender: str | None = None, way: str = "") -> list[Row]:
    """Rows of a part, of one contender if asked, in ways that begin so."""
    rows = results["parts"].get(part, {"rows": []})["rows"]
    mine = [row for row in rows if contender in (None, row["contender"])]
    return [row for row in mine if row["way"].startswith(way)]


def contenders(results: Row, *parts: str) -> list[str]:
    """Names in the order of their turns."""
    return list(dict.fromkeys(r["contender"] for part in parts for r in rows_of(results, part)))


def networks(results: Row) -> str:
    """Return evaluations per second of networks at equal FLOPs."""
    figure, dtypes = "evaluations_per_second", ("float32", "bfloat16")

    def line(name: str) -> list[str]:
        found = [name]
        for dtype in dtypes:
            rows = rows_of(results, dtype, name)
            one = [row for row in rows if row["way"] == "one core"]
            many = [row for row in rows if row["way"] != "one core"]
            found += [cell(best(way, figure) if way else None, figure) for way in (one, many)]
        return found

    head = ["network", *(f"{d}, {c}" for d in dtypes for c in ("one core", "all cores"))]
    return table(head, [line(name) for name in contenders(results, *dtypes)])


def ratios(results: Row) -> str:
    """Return what galgen's network is to the fastest peer's: on pixels, and on cells."""
    figure, found = "gflops", []
    for dtype in ("float32", "bfloat16"):
        many = [r for r in rows_of(results, dtype) if r["way"] != "one core" and r["figures"]]
        mine = [r for r in many if r["contender"] == "galgen"]
        peers = [r for r in many if not r["contender"].startswith("galgen")]
        for where in ("pixels", "cells"):
            them = [r for r in peers if r["contender"].endswith("cells") == (where == "cells")]
            if mine and them:
                fastest = best(them, figure)["figures"][figure]["median"]
                ratio = mine[0]["figures"][figure]["median"] / fastest
                found.append(f"{ratio:.2f} of the fastest on {where} in {dtype}")
    return f"galgen on all cores, eager: {', '.join(found) or 'not measured yet'}."


def stamps(results: Row, part: str) -> str:
    """Return stamps per second on the disk, each contender in its best way."""
    figure, lines = "stamps_per_second", []
    evaluations = results["parts"].get(part, {}).get("evaluations")
    for name in contenders(results, part):
        row = best(rows_of(results, part, name), figure)
        line = [name, cell(row, figure)]
        if evaluations:
            found = row["figures"].get(figure)
            line.append(number(found["median"] * evaluations) if found else "")
        lines.append([*line, row["way"]])
    head = ["who", "stamps/s", *["evaluations/s"] * bool(evaluations), "cores used as"]
    return table(head, lines)


def first(results: Row) -> str:
    """Return what whole processes that make one stamp took."""
    lines = []
    for row in rows_of(results, "first"):
        name = row["contender"]
        lines.append([name, cell(row, "seconds"), cell(row, "peak_mib")])
    return table(["who", "seconds to the first stamp", "memory, MiB"], lines)


def writing(results: Row) -> str:
    """Return the rates of the writers."""
    rows = rows_of(results, "writing")
    lines = [[f"`{row['way']}`", cell(row, "megabytes_per_second")] for row in rows]
    return table(["writer", "MB/s"], lines)


def growth(results: Row) -> str:
    """Return seconds and memory by the number of stamps, and what a million comes to."""
    rows = rows_of(results, "growth")
    ways = list(dict.fromkeys(row["way"] for row in rows))

    def line(name: str) -> list[str]:
        mine = {row["way"]: row for row in rows if row["contender"] == name}
        cells = [f"{cell(mine.get(w), 'seconds')}; {cell(mine.get(w), 'peak_mib')}" for w in ways]
        return [name, *cells, extrapolated([mine[way] for way in ways if way in mine])]

    head = ["who", *(f"{way}: s; MiB" for way in ways), "n = 1,000,000, extrapolated: hours"]
    return table(head, [line(name) for name in contenders(results, "growth")])


def extrapolated(rows: list[Row]) -> str:
    """Hours of a million stamps, along the line through the two largest numbers."""
    points = [
        (int(re.sub(r"\D", "", row["way"])), row["figures"]["seconds"]["median"])
        for row in rows
        if row["figures"]
    ]
    if len(points) < 2:
        return "not measured yet"
    (n0, s0), (n1, s1) = points[-2:]
    return number((s1 + (MILLION - n1) * (s1 - s0) / (n1 - n0)) / 3600)


def markdown(results: Row) -> str:
    """Return all tables, with what they were measured on."""
    versions = ", ".join(f"{name} {v}" for name, v in sorted(results["versions"].items()))
    date, load = results["runs"][-1]["date"][:10], max(run["load"] for run in results["runs"])
    about = f"{results['cores']} cores of an {results['cpu']}, {date}, load {load:.1f} before"

    def about_of(part: str) -> str:
        return str(results["parts"].get(part, {}).get("about", "not measured yet"))

    flops = [r["facts"].get("gflop_per_image") for r in rows_of(results, "float32") if "facts" in r]
    equal = f", {min(flops):.2f} to {max(flops):.2f} GFLOP each" if flops else ""
    sections = [
        f"Medians, and the lowest and highest of all turns; {about}; {versions}.",
        f"Evaluations per second at equal FLOPs{equal}:",
        networks(results),
        ratios(results),
        f"Stamps on the disk, at equal evaluations ({about_of('stamps')}):",
        stamps(results, "stamps"),
        f"Three-band stamps of 64 pixels on the disk ({about_of('galsim')}):",
        stamps(results, "galsim"),
        f"From the command to its end, and the most memory that took ({about_of('first')}):",
        first(results),
        f"What more stamps cost ({about_of('growth')}):",
        growth(results),
        f"Writers ({about_of('writing')}):",
        writing(results),
    ]
    return "\n\n".join(sections)


def main(
    path: Annotated[Path, typer.Argument(help="The peers.json.")],
    page: Annotated[Path | None, typer.Option(help="Put them there, between the marks.")] = None,
) -> None:
    """Print the tables, or put them into a page."""
    tell(markdown(json.loads(path.read_text())), page, "peers")


if __name__ == "__main__":
    typer.run(main)
