"""Time the tiles of the attention kernel and write the file of the fastest for this kind of GPU.

    python -m bench.tune_kernels [--out FILE]           # by default where galgen reads it
    python -m bench.tune_kernels --candidates           # what would be timed; needs no GPU

A tile is chosen per (channels, cells of a window), for both forms of the kernel at once. Its figure
of merit is the geometric mean, over the maps that share it, over batch sizes and over a warm and a
cold L2 cache, of its time relative to the fastest tile there. Form 'attention' is timed with its
cuDNN convolution. Without a GPU a few tiles are timed in Triton's interpreter, which shows that
this runs and nothing more.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import torch
import typer

from bench import cases
from bench.cases import Stage
from bench.numerics import compare, poisoned, rounding
from bench.record import save
from bench.roofline import counts
from bench.roofline.work import Rates, bound
from bench.timing import cold_seconds, warm_seconds
from galgen_kernels.launching.tuned import shipped_file
from galgen_kernels.ops.attention_fusion.fused import Tile, forms
from galgen_kernels.ops.attention_fusion.reference import attention_fusion

if TYPE_CHECKING:
    from bench.precompile import Form

GPU = torch.cuda.is_available()
PRESETS = ["paper", "fast", "small"] if GPU else ["tiny"]
BATCHES = [64, 512, 2048] if GPU else [1]
ROUNDS = 9 if GPU else 1
CHECKED = 4 if GPU else 1  # images whose result is compared with float64
DTYPE = torch.bfloat16


class Timing(NamedTuple):
    """Seconds of one tile at one map and batch size; there is no cold L2 on a CPU."""

    stage: Stage
    batch: int
    tile: Tile
    warm: float
    cold: float | None

    def to_json(self) -> dict[str, Any]:
        """Return a row of the results, in microseconds."""
        micro = {"warm_us": self.warm * 1e6, "cold_us": self.cold and self.cold * 1e6}
        return {"shape": str(self.stage), "batch": self.batch, "tile": asdict(self.tile)} | micro


def candidates(stages: Sequence[Stage]) -> list[Tile]:
    """Tiles worth timing for maps that share one: those that ship, and their neighbours.

    In the order of the roofline's bound, so that time that runs out costs the worse ones.
    """
    channels, cells = stages[0].channels, stages[0].cells
    shipped = forms(channels, cells)
    steps = [step for step in (32, 64, 128) if channels % step == 0]
    steps = steps[1:] if len(steps) > 1 else steps  # 32 only where nothing else divides
    if cells < 64:
        rows = [(1, 2), (1, 4), (2, 4), (4, 8)]
    elif channels <= 128:
        rows = [(1, 4), (1, 8), (2, 8)]  # two windows on four warps spill
    else:
        rows = [(1, 8)]  # and so does all else
    options = product(("attention", "whole"), rows, steps, (2, 3))
    neighbours = (Tile(form, n, step, warps, k) for form, (n, warps), step, k in options)
    # Where no map has as many windows as a tile wants, it is the tile of one window.
    most = max(stage.windows for stage in stages)
    tiles = [tile for tile in dict.fromkeys((*shipped, *neighbours)) if tile.windows <= most]
    return sorted(tiles, key=lambda tile: at_best(stages, tile))


def at_best(stages: Sequence[Stage], tile: Tile) -> float:
    """Return the least time that a tile takes at all its maps, in seconds an image, on paper."""
    units = (counts.unit(stage, cases.fit(tile, stage)) for stage in stages)
    return sum(bound(list(works.values()), Rates()) for works in units)


def unusable(groups: Mapping[str, Sequence[Stage]]) -> list[dict[str, Any]]:
    """Candidates that this GPU cannot run well, and why. All are compiled to find out."""
    from bench.precompile import compile_forms, form

    def forms(stages: Sequence[Stage], tile: Tile) -> list[Form]:
        return [form(DTYPE, stage, cases.fit(tile, stage)) for stage in stages]

    wanted = [(key, stages, tile) for key, stages in groups.items() for tile in candidates(stages)]
    resources = compile_forms(f for _, stages, tile in wanted for f in forms(stages, tile))
    limit = torch.cuda.get_device_properties().shared_memory_per_block_optin
    rows = []
    for key, stages, tile in wanted:
        needed = [resources[f] for f in forms(stages, tile)]
        spilled, shared = max(r.spill_bytes for r in needed), max(r.shared for r in needed)
        why = next((r.error for r in needed if r.error), "")
        why = why or (f"spills {spilled} bytes" if spilled else "")
        why = why or (f"{shared} bytes of shared memory, of {limit}" if shared > limit else "")
        if why:
            rows.append({"key": key, "tile": asdict(tile), "why": why})
    return rows


def faulty(key: str, stages: Sequence[Stage], tiles: Sequence[Tile]) -> list[dict[str, Any]]:
    """Tiles with which the kernel does not run, or gives a wrong result, and why."""
    rows = []
    for tile, stage in product(tiles, stages):
        operands = cases.fusion_operands(stage, CHECKED, DTYPE)
        right = attention_fusion(*cases.exact(operands), shifted=True)
        try:
            with poisoned():
                got = cases.fusion_launch(operands, cases.fit(tile, stage), shifted=True)()
            found = compare(got, right, rounding(DTYPE))
            why = "" if found["ok"] else f"relative error {found['relative_error']:.2g} on {stage}"
        except Exception as error:  # whatever it is, this tile cannot be used, and others can
            why = f"{type(error).__name__}: {error}"[:300]
        if why:
            rows.append({"key": key, "tile": asdict(tile), "why": why})
    return rows


def time_tiles(stages: Sequence[Stage], tiles: Sequence[Tile]) -> Iterator[Timing]:
    """Every tile at every map and batch size."""
    for stage, batch in product(stages, BATCHES):
        operands = cases.fusion_operands(stage, batch, DTYPE)
        measured: dict[Tile, tuple[float, float | None]] = {}
        for tile in tiles:
            same = cases.fit(tile, stage)
            if same not in measured:
                call = cases.fusion_launch(operands, same, shifted=True)
                measured[same] = warm_seconds(call, ROUNDS), cold_seconds(call, ROUNDS)
            yield Timing(stage, batch, tile, *measured[same])


def choose(timings: Sequence[Timing]) -> Tile:
    """Return the tile with the smallest mean logarithm of time."""
    logs: dict[Tile, list[float]] = defaultdict(list)
    for timing in timings:
        seconds = (timing.warm, timing.cold)
        logs[timing.tile] += [math.log(s) for s in seconds if s is not None]
    # All tiles have been timed at the same points, so that what is fastest there drops out.
    return min(logs, key=lambda tile: statistics.fmean(logs[tile]))


def groups(presets: Sequence[str]) -> dict[str, list[Stage]]:
    """Return the maps that share a tile."""
    found: dict[str, list[Stage]] = defaultdict(list)
    for stage in cases.stages(presets):
        found[stage.key].append(stage)
    return dict(found)


def without(tiles: Sequence[Tile], skipped: Sequence[dict[str, Any]], key: str) -> list[Tile]:
    """Those that are not skipped."""
    gone = [Tile(**row["tile"]) for row in skipped if row["key"] == key]
    return [tile for tile in tiles if tile not in gone]


def main(
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
    preset: Annotated[list[str], typer.Option(help="Shapes of this; repeat.")] = PRESETS,
    list_only: Annotated[bool, typer.Option("--candidates", help="Only list them.")] = False,
) -> None:
    """Tune, print the choices and write the file."""
    found = groups(preset)
    if list_only:
        for key, stages in found.items():
            for tile in candidates(stages):
                print(key, tile)
        return
    if out is None and not GPU:
        raise typer.BadParameter("there is no GPU to tune for: give --out to try it")
    out = out or shipped_file(torch.cuda.get_device_name())
    torch.backends.cudnn.benchmark = True  # the convolution at its best too
    skipped = unusable(found) if GPU else []
    choices: dict[str, Any] = {}
    timings: list[dict[str, Any]] = []
    for key, stages in found.items():
        tiles = without(candidates(stages), skipped, key)
        tiles = tiles if GPU else [tiles[0], tiles[-1]]
        skipped += faulty(key, stages, tiles)
        tiles = without(tiles, skipped, key)
        measured = list(time_tiles(stages, tiles))
        if measured:
            choices[key] = asdict(choose(measured))
        timings += [timing.to_json() for timing in measured]
        results = {"choices": {"attention_fusion": choices}, "timings": timings}
        save(out, results | {"skipped": skipped})
        print(key, choices.get(key), f"of {len(tiles)}", flush=True)
    for row in skipped:
        print("left out", row)


if __name__ == "__main__":
    typer.run(main)
