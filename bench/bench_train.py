"""Images per second of `galgen train`, from its own log.

``python -m bench.bench_train DATA... --out bench/results/train-rate.json``

Trains a network for a while in a folder of its own. Another version of galgen is measured with its
own clone first on PYTHONPATH, `--widths`, `--blocks` and `--no-head` giving the same network; take
turns, as the rate of a core changes with what else the machine does.
"""

from __future__ import annotations

import csv
import dataclasses
import statistics
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bench import record
from galgen.training import train
from galgen.training.presets import get_preset


def main(
    data: Annotated[list[Path], typer.Argument(help="Training data.")],
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
    seconds: Annotated[float, typer.Option(help="Time, preparation included.")] = 90.0,
    widths: Annotated[str, typer.Option(help="Channels of the stages.")] = "96,128,192",
    blocks: Annotated[int, typer.Option(help="Astro-RABs per stage.")] = 1,
    batch: Annotated[int, typer.Option(help="Images per step.")] = 64,
    head: Annotated[bool, typer.Option(help="With the head at full resolution.")] = True,
) -> None:
    """Print and record the median rate of the log's lines."""
    preset = get_preset("small")
    shape = {"widths": tuple(int(width) for width in widths.split(",")), "blocks": blocks}
    if not head and hasattr(preset.model, "detail_width"):
        shape |= {"detail_width": 0, "detail_features": 0}
    changes = {"images": 10**9, "batch": batch, "preview_minutes": 1e9}
    preset = dataclasses.replace(
        preset,
        model=dataclasses.replace(preset.model, **shape),
        train=dataclasses.replace(preset.train, **changes),
    )
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        train(data, preset, run, max_seconds=seconds)
        with open(run / "loss.csv", newline="") as handle:
            rows = [row["images_per_second"] for row in csv.DictReader(handle)]
    rates = [float(rate) for rate in rows if rate]
    result = {"model": preset.model.to_json(), "batch": batch, "images_per_second": rates}
    result["median"] = statistics.median(rates)
    print(f"{result['median']:.1f} images/s; {rates}")
    record.save(out, result)


if __name__ == "__main__":
    typer.run(main)
