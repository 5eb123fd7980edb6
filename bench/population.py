"""What guidance, autoguidance and the average of weights do to the population.

``python -m bench.population galaxies64-train.zip --cache FOLDER --out bench/results/population.json
--guide EARLIER_WEIGHTS --checkpoint RUN/checkpoint.safetensors``

The same galaxies by one sampler, judged like those of `bench.pareto`: by the weights as they are;
led away from nothing asked for (classifier-free guidance) or from a worse model that is asked for
the same (autoguidance, Karras et al. 2024); and by the weights of a checkpoint, the last ones and
their average, which is the only one that a checkpoint keeps.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from bench import quality, ways
from bench.pareto import DTYPE, judge
from bench.quality import CHOOSE, OVERALL, PIXELS, POPULATION, SPREAD
from bench.record import save
from galgen import load_model
from galgen.data import concatenate, open_stamps
from galgen.diffusion.denoiser import Denoiser
from galgen.diffusion.samplers import evaluations
from galgen.generate import GalaxyModel
from galgen.generate.sampling import Sampling
from galgen.weights.checkpoint import Checkpoint, load
from galgen.weights.tensors import load_tensors

SCALES = (1.25, 1.5)  # of guidance away from nothing
AUTO_SCALES = (1.5, 2.0)  # of guidance away from a worse model


class Way(NamedTuple):
    """One way to make the galaxies.

    `network` says whose weights they are, by what is unique to them.
    """

    name: str
    network: str
    denoiser: Denoiser
    scale: float = 1.0
    guide: Denoiser | None = None


def compared(model: GalaxyModel, guides: list[Path], checkpoints: list[Path]) -> Iterator[Way]:
    """Yield what is compared, first that which the others are compared with."""
    mine = model.checkpoint
    yield Way("as shipped", mine.sha256, mine.denoiser)
    for scale in SCALES:
        yield Way(f"guidance {scale:g}", mine.sha256, mine.denoiser, scale)
    for folder in guides:
        worse = guide_of(folder, mine)
        for scale in AUTO_SCALES:
            name = f"autoguidance {scale:g}, guide of {worse.card['images_seen']:,} images"
            yield Way(name, f"{mine.sha256} {worse.sha256}", mine.denoiser, scale, worse.denoiser)
    for path in checkpoints:
        tensors, progress = load_tensors(path)
        images, run = progress["images"], path.parent.name
        for part in ("trained", "averaged"):
            own = {k: v for k, v in tensors.items() if k.startswith(f"{part}.")}
            state = {k.removeprefix(f"{part}."): v for k, v in own.items()}
            denoiser = copy.deepcopy(mine.denoiser)
            denoiser.load_state_dict(state)
            name = f"{run}, {images:,} images, {'average' if part == 'averaged' else 'last'}"
            yield Way(name, f"{run} {images} {part}", denoiser.eval().requires_grad_(False))


def guide_of(folder: Path, mine: Checkpoint) -> Checkpoint:
    """Load weights that can guide others: of the same channels, properties and categories."""
    worse = load(folder)
    same = [(c.space, c.population.names, c.tree, c.denoiser.config.task()) for c in (worse, mine)]
    if same[0] != same[1]:
        raise typer.BadParameter(
            f"{folder} was trained on other channels, properties or categories"
        )
    return worse


def main(
    data: Annotated[list[Path], typer.Argument(help="Labelled training data.")],
    cache: Annotated[Path, typer.Option(help="Folder for generated galaxies.")],
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    weights: Annotated[Path | None, typer.Option(help="Default: the shipped weights.")] = None,
    guide: Annotated[list[Path] | None, typer.Option(help="Worse weights.")] = None,
    checkpoint: Annotated[list[Path] | None, typer.Option(help="State of a run.")] = None,
    sampler: str = Sampling.sampler,
    steps: int = Sampling.steps,
    seed: int = 0,
    max_time: Annotated[float, typer.Option(help="Start nothing after so many seconds.")] = 1e9,
) -> None:
    """Judge all ways and write JSON, way by way."""
    until = time.monotonic() + max_time
    stamps, model = concatenate([open_stamps(path) for path in data]), load_model(weights, "cpu")
    loaded, half = model.checkpoint, quality.half_of(stamps, CHOOSE, cache)
    shape = loaded.size, loaded.size, len(loaded.space.bands)
    condition = ways.asked_of(loaded.population, half.code_n, seed)
    results: dict[str, Any] = {
        "weights_sha256": loaded.sha256,
        "images_seen": loaded.card.get("images_seen"),
        "sampling": {"sampler": sampler, "steps": steps, "dtype": DTYPE, "seed": seed},
        "galaxies": dict(zip(quality.KINDS, half.counts, strict=True)),
        "real": judge(half, half.training_set(0))[0],
        "ways": [],
    }
    default = None
    for way in compared(model, guide or [], checkpoint or []):
        if time.monotonic() > until:
            break
        sampling = Sampling(sampler=sampler, steps=steps, guidance=way.scale, dtype=DTYPE)
        key = way.network, half.code_n.tolist(), f"{sampler}:{steps}", DTYPE, seed
        made = ways.cached(
            cache,
            key if way.scale == 1 else (*key, way.scale),
            model,
            lambda way=way, sampling=sampling: ways.sample(
                way.denoiser, condition, seed, shape, sampling, way.guide
            ),
        )
        row, found = judge(half, quality.tables_of(made, half.bands), default)
        default = default or found
        both = evaluations(sampler, steps) * (1 if way.scale == 1 else 2)
        results["ways"].append({"name": way.name, "evaluations": both} | row)
        save(out, results)
        shown = [row[name] for name in (OVERALL, POPULATION, SPREAD, PIXELS)]
        print(way.name, *shown, row["auc"]["auc"], flush=True)


if __name__ == "__main__":
    typer.run(main)
