"""Galaxies per second of whole ``galgen mass`` commands, bytes on disk included.

    python -m bench.bench_mass FOLDER [--out mass.json] [--batch 1024 ...] [--preset fast]

FOLDER should be on a real disk. Two sizes of catalogue are written: the time between them, per
galaxy, is the steady rate, and the rest is the start. `small` is the shipped weights; another
preset gets untrained ones, which take as long as trained ones would, or those of ``--weights``.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import torch
import typer

from bench.command import CommandError, mass_seconds
from bench.record import save
from galgen.diffusion.denoiser import Denoiser
from galgen.generate import load_model
from galgen.training.presets import get_preset
from galgen.weights.checkpoint import export

GPU = torch.cuda.is_available()
PRESETS = ["small", "fast"] if GPU else ["small"]
BATCHES = [1024, 512, 2048, 256] if GPU else [8]
GALAXIES = [4096, 32768] if GPU else [8, 24]
STEPS = 2  # for which GALAXIES are as many; for more steps there are fewer
SAMPLING = ("--sampler", "dpmpp-2m", "--dtype", "bfloat16" if GPU else "float32")


def weights(preset: str, folder: Path) -> tuple[object, ...]:
    """Options that choose the weights of a preset."""
    if preset == "small":
        return ()
    shipped, chosen = load_model(device="cpu").checkpoint, get_preset(preset)
    model = replace(chosen.model, properties=shipped.population.names)
    denoiser = Denoiser(model, chosen.diffusion)
    card = {"name": f"untrained-{preset}", "version": "0", "training_set": "none", "credit": "none"}
    checkpoint = replace(shipped, denoiser=denoiser, card=shipped.card | card)
    export(checkpoint, folder / preset, f"# Untrained {preset}, to time it\n")
    return "--weights", folder / preset


def time_batch(
    folder: Path, batch: int, steps: int, lanes: int | None, options: tuple[object, ...]
) -> dict[str, Any]:
    """Seconds for each number of galaxies, and the rate between the first and the last."""
    path, seconds = folder / "cat.fits", []
    galaxies = [-(-n * STEPS // (steps * batch)) * batch for n in GALAXIES]  # whole micro-batches
    if galaxies[0] == galaxies[-1]:
        galaxies[-1] *= 2
    options = ("--steps", steps, *options)
    try:
        for n in galaxies:
            path.unlink(missing_ok=True)  # freeing the blocks of the last one takes time too
            seconds.append(mass_seconds(path, n, batch, *options, lanes=lanes))
        size = path.stat().st_size
    except CommandError as error:
        return {"error": str(error)}
    finally:
        path.unlink(missing_ok=True)
    more, longer = galaxies[-1] - galaxies[0], seconds[-1] - seconds[0]
    return {
        "galaxies": galaxies,
        "seconds": seconds,
        "galaxies_per_second": more / longer,
        "bytes_per_second": more / longer * size / galaxies[-1],
        "start_seconds": seconds[0] - galaxies[0] * longer / more,
    }


def main(
    folder: Annotated[Path, typer.Argument(help="Where to write catalogues.")],
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
    preset: Annotated[list[str], typer.Option(help="Repeat for several.")] = PRESETS,
    batch: Annotated[list[int], typer.Option(help="Repeat for several.")] = BATCHES,
    steps: Annotated[list[int], typer.Option(help="Repeat for several.")] = [STEPS],  # noqa: B006
    lanes: Annotated[
        list[int] | None, typer.Option(help="Micro-batches at a time; repeat for several.")
    ] = None,
    own: Annotated[Path | None, typer.Option("--weights", help="Trained ones, of presets.")] = None,
    compile: Annotated[bool, typer.Option("--compile", help="As of galgen mass.")] = False,
    workers: Annotated[int | None, typer.Option(help="As of galgen mass.")] = None,
    seconds: Annotated[float, typer.Option(help="Start nothing after this time.")] = float("inf"),
) -> None:
    """Time every batch size. Exits with 1 if a command fails."""
    start, rows = perf_counter(), []
    folder.mkdir(parents=True, exist_ok=True)
    sampling: tuple[object, ...] = SAMPLING + ("--compile",) * compile
    sampling += ("--workers", workers) if workers else ()
    chosen = ("--weights", own) if own else None
    options = {name: sampling + (chosen or weights(name, folder)) for name in preset}
    for size, name, count, side in product(batch, preset, steps, lanes or [None]):
        late = perf_counter() - start > seconds
        row = {"preset": name, "batch": size, "steps": count, "lanes": side}
        timed = (folder, size, count, side, options[name])
        rows.append(row | ({"left_out": "no time"} if late else time_batch(*timed)))
        print(rows[-1], flush=True)
        save(out, {"sampling": " ".join(map(str, sampling)), "runs": rows})
    if any("error" in row for row in rows):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
