"""Train inside a box of time, in the way that was measured to be faster.

    python -m bench.first_training RUN --data galaxies.zip --seconds 265 --out training.json

The length needs no calibration: as with `galgen train --max-time` the learning rate falls to zero
by the end of the time. Whether compiling pays is taken from two results of `bench.bench_train`. The
start is `.start/` (weights that an earlier training has exported, unpacked there), or the shipped
weights, if they are of the same network; a run that is there already goes on.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.record import save
from galgen.model.config import ModelConfig
from galgen.training import Progress, train
from galgen.training.config import Preset
from galgen.training.presets import get_preset
from galgen.weights import SHIPPED_WEIGHTS

START = Path(__file__).parents[1] / ".start"
WORTH_IT = 1.1  # ratio of the rates above which compiling pays for its start
NO_END = 10**9  # images: it is the time that ends the run
PREVIEW_MINUTES = 2.0  # between exports of weights, in case the end is not reached


def rate(path: Path | None) -> float:
    """Images per second as measured, 0 if they were not."""
    if path is None or not path.exists():
        return 0.0
    return float(json.loads(path.read_text()).get("median", 0.0))


def start_for(preset: Preset) -> Path | None:
    """Return weights of the same network, whatever its bands and properties are called."""
    own = preset.model
    for folder in (START, SHIPPED_WEIGHTS):
        config = folder / "config.json"
        if not config.exists():
            continue
        theirs = ModelConfig.from_json(json.loads(config.read_text())["model"])
        if dataclasses.replace(theirs, bands=own.bands, properties=own.properties) == own:
            return folder
    return None


def main(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    data: Annotated[list[Path], typer.Option(help="Training data; repeat.")],
    seconds: Annotated[float, typer.Option(help="Time, preparation included.")],
    preset: Annotated[str, typer.Option(help="Which network.")] = "fast",
    rate_file: Annotated[Path | None, typer.Option("--rate", help="Of bench_train.")] = None,
    compiled_rate: Annotated[Path | None, typer.Option(help="The same with --compile.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
) -> None:
    """Train, and record how."""
    chosen = get_preset(preset)
    changes: dict[str, Any] = {"images": NO_END, "preview_minutes": PREVIEW_MINUTES}
    chosen = dataclasses.replace(chosen, train=dataclasses.replace(chosen.train, **changes))
    compiled = rate(compiled_rate) > WORTH_IT * rate(rate_file)
    start = start_for(chosen)

    def report(progress: Progress) -> None:
        print(f"{progress.images} images, {progress.images_per_second:.0f}/s, {progress.loss:.4f}")

    trained = train(
        data,
        chosen,
        run,
        max_seconds=seconds,
        resume=True,
        compile=compiled,
        init=start,
        name=preset,
        report=report,
        notice=print,
    )
    found = {
        "preset": preset,
        "compiled": compiled,
        "start": start and start.name,
        "seconds": seconds,
        "images": trained.images,
        "validation_loss": trained.validation_loss,
        "interrupted": trained.interrupted,
    }
    print(found)
    save(out, found)


if __name__ == "__main__":
    typer.run(main)
