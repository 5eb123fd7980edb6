"""Images per second of `galgen train`, from its own log.

``python -m bench.bench_train DATA... --out bench/results/train-rate.json``

Trains a preset for a while in a folder of its own. Another version of galgen is measured with its
own clone first on PYTHONPATH, `--widths`, `--blocks` and `--no-head` giving the same network; take
turns, as the rate of a core changes with what else the machine does.
"""

from __future__ import annotations

import csv
import dataclasses
import statistics
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import record
from galgen.training import train
from galgen.training.presets import get_preset


def main(
    data: Annotated[list[Path], typer.Argument(help="Training data.")],
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
    seconds: Annotated[float, typer.Option(help="Time, preparation included.")] = 90.0,
    preset: Annotated[str, typer.Option(help="Network and batch, but for what follows.")] = "small",
    widths: Annotated[str | None, typer.Option(help="Channels of the stages.")] = None,
    blocks: Annotated[int | None, typer.Option(help="Astro-RABs per stage.")] = None,
    batch: Annotated[int | None, typer.Option(help="Images per step.")] = None,
    head: Annotated[bool, typer.Option(help="With the head at full resolution.")] = True,
    compile: Annotated[bool, typer.Option("--compile", help="As of galgen train.")] = False,
) -> None:
    """Print and record the median rate of the log's lines. Exits with 1 if there is none."""
    chosen = get_preset(preset)
    shape: dict[str, Any] = {"blocks": blocks} if blocks else {}
    if widths:
        shape["widths"] = tuple(int(width) for width in widths.split(","))
    if not head and hasattr(chosen.model, "detail_width"):
        shape |= {"detail_width": 0, "detail_features": 0}
    changes: dict[str, Any] = {"images": 10**9, "preview_minutes": 1e9}
    changes |= {"batch": batch} if batch else {}
    chosen = dataclasses.replace(
        chosen,
        model=dataclasses.replace(chosen.model, **shape),
        train=dataclasses.replace(chosen.train, **changes),
    )
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        train(data, chosen, run, max_seconds=seconds, compile=compile)
        with open(run / "loss.csv", newline="") as handle:
            rows = [row["images_per_second"] for row in csv.DictReader(handle)]
    # The first steps of a GPU compile kernels, or the network, and plan convolutions.
    rates = [float(rate) for rate in rows if rate][len(rows) > 2 :]
    if not rates:
        print(f"no step was logged within {seconds:.0f} s")
        raise typer.Exit(1)
    result = {"model": chosen.model.to_json(), "batch": chosen.train.batch, "compiled": compile}
    result |= {"images_per_second": rates, "median": statistics.median(rates)}
    print(f"{result['median']:.1f} images/s; {rates}")
    record.save(out, result)


if __name__ == "__main__":
    typer.run(main)
