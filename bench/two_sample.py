"""Can a classifier tell generated from real galaxies? A two-sample test by category.

``python -m bench.two_sample galaxies64-train.zip --out bench/results/two-sample.json``

In each category as many generated as real galaxies, all as 8-bit images of the same stretch, go
through a network that has seen everyday photographs only (`bench.embed`); a logistic regression on
its features then tells them apart, or does not (`galgen.evaluation.two_sample`). Two sets of real
galaxies give the floor. Beside it stand the distances of measured columns
(`galgen.evaluation.distance`): mean ratio over the columns, of the generated and of the first real
set, both to the other real galaxies.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from torch import nn

from bench import embed, matched_sets
from bench.matched_sets import GROUPS, Galaxies
from bench.record import save
from galgen import load_model
from galgen.data import StampSet, concatenate, open_stamps
from galgen.evaluation.columns import compared_values
from galgen.evaluation.distance import compare
from galgen.evaluation.two_sample import FOLDS, PENALTY, REPEATS, separation
from galgen.generate.sampling import Sampling

SPACES = ("final", "early")
SPLITS = 100


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


def cached_features(
    network: nn.Module, images_nhwc: np.ndarray, seed: int, cache: Path | None
) -> dict[str, np.ndarray]:
    """Features of turned images, from the folder `cache` where they are known."""
    versions = sorted(embed.versions().items())
    digest = hashlib.sha256(np.ascontiguousarray(images_nhwc))
    digest.update(repr((versions, embed.EARLY_BLOCKS, seed)).encode())
    path = None if cache is None else cache / f"{digest.hexdigest()[:20]}.npz"
    if path is not None and path.is_file():
        with np.load(path) as known:
            return {name: known[name] for name in SPACES}
    found = embed.features(network, embed.oriented(images_nhwc, seed))
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **found)
    return found


def category(
    model: Any,
    network: nn.Module,
    stamps: StampSet,
    group: str,
    n: int,
    seed: int,
    sampling: Sampling,
    cache: Path | None,
) -> dict[str, Any]:
    """Make the test of one category."""
    sets = matched_sets.real_sets(stamps, group, n, seed)
    request = matched_sets.request_of(stamps, sets.first)
    made = matched_sets.generated(model, request, len(sets.first), seed, sampling)
    first, second, rest = (
        matched_sets.real(stamps, rows) for rows in (sets.first, sets.second, sets.rest)
    )
    quantised = matched_sets.measure_images(made.images_nhwc, stamps.lupton, stamps.bands)
    made_f = embed.features(network, embed.oriented(made.images_nhwc, seed))
    first_f = cached_features(network, first.images_nhwc, seed, cache)
    second_f = cached_features(network, second.images_nhwc, seed, cache)
    pairs = {"generated": (made_f, first_f), "real": (second_f, first_f)}
    columns = ratios(made, rest, stamps.bands, seed)
    real_columns = ratios(first, rest, stamps.bands, seed)
    as_images = ratios(Galaxies(made.images_nhwc, quantised), rest, stamps.bands, seed)
    return {
        "request": request,
        "n": len(sets.first),
        "real_held_out": sets.held_out,
        "real_from_training": len(sets.first) - sets.held_out,
        "auc": {
            origin: {space: separation(a[space], b[space], seed).to_json() for space in SPACES}
            for origin, (a, b) in pairs.items()
        },
        "wasserstein": {
            "generated": mean_ratio(columns),
            "generated_8bit": mean_ratio(as_images),
            "real": mean_ratio(real_columns),
            "reference": len(sets.rest),
            "columns": {"generated": columns, "real": real_columns},
        },
    }


def table(found: dict[str, dict[str, Any]]) -> str:
    """AUC of generated and of real against real, in both feature spaces, and mean ratios."""
    head = f"{'category':<18} {'n':>4} {'held':>4}  AUC generated, real against real      W ratio\n"
    head += f"{'':<18} {'':>4} {'out':>4}  final        early        generated  real"
    lines = [head]
    for name, row in found.items():
        cells = []
        for space in SPACES:
            pair = [row["auc"][origin][space]["auc"] for origin in ("generated", "real")]
            cells.append(f"{pair[0]:.3f} {pair[1]:.3f}")
        w = row["wasserstein"]
        lines.append(
            f"{name:<18} {row['n']:>4} {row['real_held_out']:>4}  {cells[0]}  {cells[1]}  "
            f"{w['generated']:>9.2f}  {w['real']:.2f}"
        )
    return "\n".join(lines)


def main(
    data: Annotated[list[Path], typer.Argument(help="Labelled real galaxies, display images.")],
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    weights: Annotated[Path | None, typer.Option(help="Default: the shipped weights.")] = None,
    n: Annotated[int, typer.Option(help="Galaxies of each kind and category.")] = 160,
    sampler: str = Sampling.sampler,
    steps: int = Sampling.steps,
    guidance: float = Sampling.guidance,
    dtype: Annotated[str | None, typer.Option(help="Default: what suits the device.")] = None,
    seed: int = 0,
    only: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(GROUPS)}.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for features of real ones.")] = None,
    device: str | None = None,
) -> None:
    """Write the test as JSON and print its table."""
    stamps = concatenate([open_stamps(path) for path in data])
    model, network = load_model(weights, device), embed.load_network()
    chosen = {"sampler": sampler, "steps": steps, "guidance": guidance}
    chosen |= {} if dtype is None else {"dtype": dtype}
    sampling = Sampling.on(model.device, **chosen)
    found: dict[str, Any] = {}
    card = model.checkpoint.card
    results = {
        "weights": {"name": card["name"], "version": card["version"]},
        "weights_sha256": model.checkpoint.sha256,
        "generated_on": str(model.device),
        "sampling": {"dtype": sampling.dtype, **chosen, "seed": seed},
        "micro_batch": sampling.micro_batch,
        "classifier": {"penalty": PENALTY, "folds": FOLDS, "repeats": REPEATS},
        "versions": embed.versions()
        | {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "torch")},
        "data": [path.name for path in data],
        "categories": found,
    }
    for group in only or GROUPS:
        found[group] = category(model, network, stamps, group, n, seed, sampling, cache)
        save(out, results)
        typer.echo(f"{group}: {found[group]['auc']}", err=True)
    typer.echo(table(found))


if __name__ == "__main__":
    typer.run(main)
