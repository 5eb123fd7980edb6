"""Evaluations of the network against quality, for every sampler.

``python -m bench.pareto galaxies64-train.zip --cache FOLDER --out bench/results/pareto.json
--plot docs/pareto.svg --report ddpm:32 --report unipc:8``

Every sampler of `galgen.diffusion.samplers` at several numbers of steps, judged on the half of the
held-out galaxies that is for choosing (`bench.quality`); `--report` judges some of them on the
other half. Galaxies that are in the cache are not made again, and `--max-time` makes no more after
so long: the same command goes on. With other weights nothing in the cache is of use. There
`--features` adds the AUC by the last features of EfficientNet (`galgen.evaluation.embedding`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import quality, svg, ways
from bench.matched_sets import Galaxies, cached_features
from bench.quality import CHOOSE, OVERALL, PIXELS, POPULATION, REPORT, Found, Half
from bench.record import save
from galgen import load_model
from galgen.data import concatenate, open_stamps
from galgen.diffusion.samplers import SAMPLERS, evaluations
from galgen.evaluation.embedding import Embedding, load_embedding
from galgen.evaluation.two_sample import separation
from galgen.generate import GalaxyModel
from galgen.generate.sampling import Sampling

DEFAULT = f"{Sampling.sampler}:{Sampling.steps}"
STEPS = {
    "ddpm": (8, 16, 32, 64),
    "sde-dpmpp-2m": (8, 16, 32),
    "ddim": (8, 16, 32),
    "heun": (5, 8),
    "dpmpp-2m": (4, 8, 16),
    "unipc": (4, 6, 8, 16, 32),
    "ipndm": (4, 6, 8, 12),
    "ipndm-v": (4, 8, 12),
}
FEW = (1, 2, 4)  # steps of a sampler that is not named above
DTYPE = "bfloat16"  # twice as fast on a CPU that has it; checked against float32:
CHECKED = ("unipc:8",)


def settings() -> list[str]:
    """Return the default, then every sampler with its numbers of steps, cheapest first."""
    every = [f"{name}:{steps}" for name in SAMPLERS for steps in STEPS.get(name, FEW)]
    return [DEFAULT, *sorted((s for s in every if s != DEFAULT), key=cost)]


def cost(setting: str) -> int:
    """Return how often the network is evaluated for a galaxy."""
    name, steps = setting.split(":")
    return evaluations(name, int(steps))


def made(
    model: GalaxyModel, half: Half, setting: str, dtype: str, seed: int, cache: Path
) -> Galaxies:
    """Galaxies of one setting, one for each real one of a half."""
    name, steps = setting.split(":")
    loaded = model.checkpoint
    sampling = Sampling(sampler=name, steps=int(steps), dtype=dtype)
    condition = ways.asked_of(loaded.population, half.code_n, seed)
    shape = loaded.size, loaded.size, len(loaded.space.bands)
    key = loaded.sha256, half.code_n.tolist(), setting, dtype, seed
    return ways.cached(
        cache,
        key,
        model,
        lambda: ways.sample(loaded.denoiser, condition, seed, shape, sampling),
    )


def rows(
    model: GalaxyModel,
    half: Half,
    wanted: list[tuple[str, str]],
    seed: int,
    cache: Path,
    until: float,
    embedding: Embedding | None = None,
) -> Iterator[dict[str, Any]]:
    """Judge settings (sampler and steps, dtype), the first of which is the default, in turn."""
    default: dict[str, Found] | None = None
    for setting, dtype in wanted:
        if time.monotonic() > until:
            return
        galaxies = made(model, half, setting, dtype, seed, cache)
        row, found = judge(half, quality.tables_of(galaxies, half.bands), default)
        default = default or found
        if embedding is not None:
            row["features_auc"] = features_auc(embedding, half, galaxies, cache)
        yield {"setting": setting, "dtype": dtype, "evaluations": cost(setting)} | row


def judge(
    half: Half, tables: dict[str, quality.Table], default: dict[str, Found] | None = None
) -> tuple[dict[str, Any], dict[str, Found]]:
    """Return a row of results, and what its differences from others follow from."""
    found = half.compare(tables)
    auc = half.told_apart(tables).to_json()
    return quality.as_json(found, default) | {"auc": auc}, found


def features_auc(
    embedding: Embedding, half: Half, galaxies: Galaxies, cache: Path
) -> dict[str, float]:
    """Tell galaxies from the real ones of a half by the last features of a network."""
    sides = [
        cached_features(embedding, images, 0, cache)["final"]
        for images in (galaxies.images_nhwc, half.images_nhwc)
    ]
    return separation(*sides, repeats=quality.REPEATS).to_json()


def front(found: list[dict[str, Any]]) -> list[str]:
    """Return settings that none of the others beats in both evaluations and overall ratio."""
    best, names = float("inf"), []
    for row in sorted(found, key=lambda row: (row["evaluations"], row[OVERALL][0])):
        if row[OVERALL][0] < best:
            best = row[OVERALL][0]
            names.append(row["setting"])
    return names


def plot(results: dict[str, Any]) -> str:
    """Draw ratios by evaluations, a line for each sampler."""
    found = [row for row in results[CHOOSE] if row["dtype"] == DTYPE]
    lines = {
        name: sorted(
            (row for row in found if row["setting"].startswith(f"{name}:")),
            key=lambda row: row["evaluations"],
        )
        for name in dict.fromkeys(row["setting"].split(":")[0] for row in found)
    }
    panels = []
    for title, name in (
        ("Geometric mean of both ratios", OVERALL),
        ("Wasserstein ratio of measured columns", POPULATION),
        ("Wasserstein ratio of pixel statistics", PIXELS),
    ):
        series = {n: [(r["evaluations"], *r[name]) for r in each] for n, each in lines.items()}
        panels.append(svg.Panel(title, "evaluations of the network per galaxy", series))
    return svg.draw(panels)


def main(
    data: Annotated[list[Path], typer.Argument(help="Labelled training data.")],
    cache: Annotated[Path, typer.Option(help="Folder for generated galaxies.")],
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    plot_path: Annotated[Path | None, typer.Option("--plot", help="SVG to write.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Default: the shipped weights.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="SAMPLER:STEPS; default: all.")] = None,
    report: Annotated[list[str] | None, typer.Option(help="SAMPLER:STEPS, other half.")] = None,
    seed: int = 0,
    features: Annotated[bool, typer.Option("--features", help="Report AUC by features.")] = False,
    max_time: Annotated[float, typer.Option(help="Start nothing after so many seconds.")] = 1e9,
) -> None:
    """Judge all settings and write JSON and plot, setting by setting."""
    until = time.monotonic() + max_time
    stamps, model = concatenate([open_stamps(path) for path in data]), load_model(weights, "cpu")
    wanted = [(setting, DTYPE) for setting in only or settings()]
    wanted += [(setting, "float32") for setting in CHECKED if not only]
    results: dict[str, Any] = {
        "weights_sha256": model.checkpoint.sha256,
        "images_seen": model.checkpoint.card.get("images_seen"),
        "default": wanted[0][0],
        "seed": seed,
        CHOOSE: [],
        REPORT: [],
    }
    of_report = [(setting, DTYPE) for setting in report or []]
    for which, asked in ((REPORT, of_report), (CHOOSE, wanted)):
        if not asked:
            continue
        half = quality.half_of(stamps, which, cache)
        results[f"{which}_galaxies"] = dict(zip(quality.KINDS, half.counts, strict=True))
        results[f"{which}_real"], _ = judge(half, half.training_set(0))
        embedding = load_embedding() if features else None
        # Another seed for the other half: galaxies of it must not be those of the first.
        for row in rows(model, half, asked, seed + (which == REPORT), cache, until, embedding):
            results[which].append(row)
            results["front"] = front([r for r in results[CHOOSE] if r["dtype"] == DTYPE])
            save(out, results)
            shown = [row[name] for name in (OVERALL, POPULATION, PIXELS)]
            print(which, row["setting"], row["dtype"], *shown, row["auc"]["auc"], flush=True)
    if plot_path is not None:
        plot_path.write_text(plot(results))


if __name__ == "__main__":
    typer.run(main)
