"""Why a classifier tells generated from real galaxies: what is left when something is taken away.

``python -m bench.why_told_apart galaxies64-train.zip --cache FOLDER --out out.json``

The two-sample test of `galgen evaluate` after each change of `bench.manipulate`, made to both sets;
cores and skies swapped; and `bench.pixel_statistics` of both, each with the AUC that it has alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from bench import draws, matched_sets
from bench.manipulate import CHANGES, as_8bit, in_sky_of, with_power_of
from bench.matched_sets import Galaxies
from bench.pixel_statistics import statistics
from bench.record import save
from galgen import load_model
from galgen.data import StampSet, concatenate, open_stamps
from galgen.evaluation.columns import compared_values
from galgen.evaluation.distance import compare
from galgen.evaluation.embedding import Embedding, load_embedding, oriented
from galgen.evaluation.two_sample import auc, separation
from galgen.generate import GalaxyModel
from galgen.generate.sampling import Sampling
from galgen.pictures.grid import save_grid

REPEATS = 4
SPLITS = 100  # random halves behind a ratio
SHOWN = 10  # galaxies of each row of the sheet
MATCH = 0.1  # largest relative difference of the sky noise of a matched pair


def ratios(
    ours: Galaxies, theirs: Galaxies, bands: tuple[str, ...], seed: int
) -> dict[str, dict[str, float]]:
    """Distance of each compared column, in units of that of two halves of the real galaxies."""
    a, b = (compared_values(g.measured, bands) for g in (ours, theirs))
    found = {}
    for i, name in enumerate(a):
        values = [v[name][np.isfinite(v[name])] for v in (a, b)]
        compared = compare(*values, SPLITS, np.random.default_rng((seed, i)))
        found[name] = {"ratio": round(compared.ratio, 3), "limit": round(compared.limit, 3)}
        found[name] |= {
            "generated_median": float(f"{compared.generated_median:.4g}"),
            "real_median": float(f"{compared.real_median:.4g}"),
        }
    return found


def mean_ratio(found: dict[str, dict[str, float]]) -> float:
    """Mean ratio over the columns."""
    return round(float(np.mean([column["ratio"] for column in found.values()])), 3)


def told_apart(embedding: Embedding, a_nhwc: np.ndarray, b_nhwc: np.ndarray) -> dict[str, Any]:
    """AUC of two sets of images in both feature spaces."""
    a, b = (embedding.features(oriented(as_8bit(x), 0)) for x in (a_nhwc, b_nhwc))
    return {space: separation(a[space], b[space], 0, REPEATS).to_json() for space in a}


def alone(a_n: np.ndarray, b_n: np.ndarray) -> float:
    """AUC of one number, whichever way round; NaN values left out."""
    a, b = a_n[np.isfinite(a_n)], b_n[np.isfinite(b_n)]
    value = auc(np.concatenate([a, b]), np.repeat([0.0, 1.0], [len(a), len(b)]))
    return round(max(value, 1 - value), 4)


def compared(
    real: dict[str, np.ndarray], other: dict[str, np.ndarray]
) -> dict[str, dict[str, Any]]:
    """Quantiles of each statistic in both sets, and its AUC, strongest first."""
    found = {}
    for name, theirs in real.items():
        quantiles = [np.nanquantile(v[name], (0.1, 0.5, 0.9)) for v in (real, other)]
        rounded = [[float(f"{q:.3g}") for q in three] for three in quantiles]
        found[name] = {
            "auc": alone(theirs, other[name]),
            "real": rounded[0],
            "generated": rounded[1],
        }
    return dict(sorted(found.items(), key=lambda item: -item[1]["auc"]))


def matched(a_n: np.ndarray, b_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of pairs whose values differ by less than `MATCH`, each row once."""
    rows_a, rows_b, free = [], [], np.ones(len(b_n), bool)
    for i in np.argsort(a_n):
        gap = np.where(free, np.abs(b_n - a_n[i]), np.inf)
        j = int(gap.argmin())
        if gap[j] <= MATCH * a_n[i]:
            rows_a.append(int(i))
            rows_b.append(j)
            free[j] = False
    return np.array(rows_a, int), np.array(rows_b, int)


def swaps(
    embedding: Embedding, real: np.ndarray, other: np.ndarray, made: np.ndarray
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Cores or skies that are generated, against real cores in other real skies; and a repair."""
    control = in_sky_of(real, np.roll(other, 1, 0))
    yield "real core, generated sky", told_apart(embedding, in_sky_of(real, made), control)
    yield "generated core, real sky", told_apart(embedding, in_sky_of(made, other), control)
    yield "power spectra matched", told_apart(embedding, with_power_of(made, real), real)
    yield "real core, real sky (floor)", told_apart(embedding, in_sky_of(other, real), control)


def category(
    model: GalaxyModel,
    embedding: Embedding,
    stamps: StampSet,
    group: str,
    sizes: tuple[int, int],
    sampler: str,
    cache: Path,
    only: list[str],
) -> Iterator[dict[str, Any]]:
    """Return what was found in one category, again after each step."""
    n, fewer = sizes
    sets = matched_sets.real_sets(stamps, group, n, 0)
    request = matched_sets.request_of(stamps, sets.first)
    levels = draws.levels(Sampling.steps)
    x = draws.cached_draw(cache, model, request, len(sets.first), 0, sampler, levels)
    made = draws.galaxies(model, x)
    first, second = (matched_sets.real(stamps, rows) for rows in (sets.first, sets.second))
    numbers = {
        name: statistics(g.images_nhwc, g.measured, stamps.bands)
        for name, g in (("first", first), ("second", second), ("made", made))
    }
    found: dict[str, Any] = {"request": request, "n": len(made), "n_changes": fewer}
    rest = matched_sets.real(stamps, sets.rest)
    found["wasserstein_8bit"] = mean_ratio(ratios(made, rest, stamps.bands, 0))
    found["statistics"] = compared(numbers["first"], numbers["made"])
    floor = compared(numbers["first"], numbers["second"])
    found["largest_auc_of_real_against_real"] = max(row["auc"] for row in floor.values())
    tables = [np.nan_to_num(np.column_stack([*numbers[name].values()])) for name in numbers]
    found["statistics_together"] = {
        "generated": separation(tables[2], tables[0]).to_json(),
        "real": separation(tables[1], tables[0]).to_json(),
    }
    yield found
    a, b, c = (_float(g, fewer) for g in (first, second, made))
    found["changes"] = {}
    for name, change in CHANGES.items():
        if not only or name in only:
            found["changes"][name] = told_apart(embedding, change(c), change(a))
            yield found
    for name, result in swaps(embedding, a, b, c):
        found["changes"][name] = result
        yield found
    noise = [
        np.mean([numbers[s][f"sky_noise_{band}"] for band in stamps.bands], 0)
        for s in ("first", "made")
    ]
    rows = matched(*noise)
    found["sky_noise_matched"] = {"pairs": len(rows[0])}
    if len(rows[0]) >= 20:
        images = made.images_nhwc[rows[1]], first.images_nhwc[rows[0]]
        found["sky_noise_matched"] |= told_apart(embedding, *images)
    yield found


def save_sheet(
    path: Path, model: GalaxyModel, stamps: StampSet, cache: Path, samplers: list[str], n: int
) -> None:
    """Draw the first real spirals above the first of each sampler, not selected.

    Below each row the same images again, four times as bright, for the sky.
    """
    sets = matched_sets.real_sets(stamps, "spiral", n, 0)
    request, levels = matched_sets.request_of(stamps, sets.first), draws.levels(Sampling.steps)
    shown = {"real": stamps.pixels[sets.first[:SHOWN]]}
    for sampler in samplers:
        x = draws.cached_draw(cache, model, request, len(sets.first), 0, sampler, levels)
        shown[sampler] = draws.galaxies(model, x[:SHOWN]).images_nhwc
    rows = {}
    for name, images in shown.items():
        rows[name] = images / 255
        rows[f"{name}, 4 times as bright"] = np.clip(images / 255 * 4, 0, 1)
    save_grid(path, rows, SHOWN)


def _float(galaxies: Galaxies, n: int) -> np.ndarray:
    return galaxies.images_nhwc[:n].astype(np.float64)


def main(
    data: Annotated[list[Path], typer.Argument(help="Labelled real galaxies, display images.")],
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    cache: Annotated[Path, typer.Option(help="Folder for generated stamps.")],
    weights: Annotated[Path | None, typer.Option(help="Default: the shipped weights.")] = None,
    groups: Annotated[str, typer.Option(help="Categories, with commas.")] = "spiral",
    n: Annotated[int, typer.Option(help="Galaxies of each kind.")] = 160,
    fewer: Annotated[int, typer.Option(help="Galaxies of each kind for the changes.")] = 96,
    sampler: str = Sampling.sampler,
    only: Annotated[list[str] | None, typer.Option(help="Changes; default all.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Only draw this PNG of spirals.")] = None,
) -> None:
    """Write what was found as JSON."""
    stamps = concatenate([open_stamps(path) for path in data])
    model = load_model(weights, "cpu")
    if sheet is not None:
        save_sheet(sheet, model, stamps, cache, ["ddpm", "dpmpp-2m"], n)
        return
    embedding = load_embedding()
    found: dict[str, Any] = {}
    results = {
        "weights_sha256": model.checkpoint.sha256,
        "sampler": sampler,
        "steps": Sampling.steps,
        "seed": 0,
        "repeats": REPEATS,
        "versions": embedding.versions,
        "categories": found,
    }
    for group in groups.split(","):
        sizes = n, min(n, fewer)
        steps = category(model, embedding, stamps, group, sizes, sampler, cache, only or [])
        for found[group] in steps:
            save(out, results)
    for group, row in found.items():
        for name, result in row["changes"].items():
            aucs = "  ".join(f"{space} {value['auc']:.3f}" for space, value in result.items())
            typer.echo(f"{group:<14} {name:<28} {aucs}")


if __name__ == "__main__":
    typer.run(main)
