"""Print what `python -m bench.roofline` counted as the tables of docs/kernels.md.

python -m bench.roofline.table bench/results/roofline.json [--page docs/kernels.md]
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.pages import table, tell

Row = dict[str, Any]
NAME = "roofline"
HEAD = ["HBM, KiB", "L2, KiB", "MFLOP", "carried out", "programs/SM", "at best, us"]
HEAD += ["longest launch bound by"]
SETS = {"hbm": "HBM", "l2": "L2", "matrix": "matrix products", "vector": "other operations"}


def cells(row: Row) -> list[str]:
    """Return counts of all launches together, the bound, and what sets it in each launch."""
    works = list(row["launches"].values())
    hbm, l2, flops, issued = (sum(w[k] for w in works) for k in ("hbm", "l2", "flops", "issued"))
    longest = max(works, key=lambda work: work["bound_us"])
    programs = row.get("programs")
    return [
        f"{hbm / 1024:,.0f}",
        f"{l2 / 1024:,.0f}",
        f"{flops / 1e6:,.1f}" if flops else "",
        f"{issued / 1e6:,.1f}" if issued else "",
        "" if programs is None else str(programs),
        f"{row['bound_us']:.3f}",
        SETS[longest["bound"]],
    ]


def units(rows: list[Row], preset: str) -> str:
    """Return every way to compute the Attention Fusion Unit at every shape of a preset."""
    mine = [r for r in rows if r["kernel"] == "attention_fusion" and r["preset"] == preset]
    lines = [[r["shape"], r["form"], *cells(r)] for r in mine]
    return table(["map", "way", *HEAD], lines)


def whole_evaluation(rows: list[Row], preset: str) -> str:
    """Return the units of one evaluation together, each way, and the best way at every shape."""
    mine = [r for r in rows if r["kernel"] == "attention_fusion" and r["preset"] == preset]
    times: dict[str, list[float]] = {}
    for r in mine:
        times.setdefault(r["form"], []).append(r["bound_us"] * r["per_evaluation"])
    shapes = len({r["shape"] for r in mine})
    every = {form: sum(found) for form, found in times.items() if len(found) == shapes}
    return ", ".join(f"{form} {seconds:.1f} us" for form, seconds in every.items())


def others(rows: list[Row]) -> str:
    """Return all other kernels."""
    mine = [r for r in rows if r["kernel"] != "attention_fusion"]
    lines = []
    for r in mine:
        hbm, l2, _, _, *rest = cells(r)
        lines.append([f"`{r['kernel']}`", f"{r['form']}, {r['shape']}", hbm, l2, *rest])
    return table(["kernel", "form", *HEAD[:2], *HEAD[4:]], lines)


def markdown(results: Row) -> str:
    """Return all tables, with what is assumed."""
    rates, rows = results["assumed_rates"], results["rows"]
    presets = list(dict.fromkeys(r["preset"] for r in rows if "preset" in r))
    hbm, l2, matrix, vector = (rates[k] / 1e12 for k in ("hbm", "l2", "matrix", "vector"))
    sections = [
        f"**By arithmetic, not measured**, for one image of {results['batch']}. Assumed of an "
        f"H100: {hbm:g} TB/s of device memory (HBM), {l2:g} TB/s of L2, {matrix:g} TFLOP/s of bf16 "
        f"matrix products, {vector:g} T/s of other operations. A launch takes at best the longest "
        "of its four times; launches follow each other. Programs per multiprocessor (SM) are those "
        f"of `galgen_kernels/resources.json`, Triton {results['resources_of_triton']}."
    ]
    for preset in presets:
        sections += [f"`attention_fusion`, preset `{preset}`:", units(rows, preset)]
        sections.append(f"All units of one evaluation: {whole_evaluation(rows, preset)}.")
    return "\n\n".join([*sections, "Other kernels:", others(rows)])


def main(
    path: Annotated[Path, typer.Argument(help="The roofline.json.")],
    page: Annotated[Path | None, typer.Option(help="Put them there, between the marks.")] = None,
) -> None:
    """Print the tables, or put them into a page."""
    tell(markdown(json.loads(path.read_text())), page, NAME)


if __name__ == "__main__":
    typer.run(main)
