"""galgen's network against the UNet2DModel of diffusers: FLOP/s at equal FLOPs per image, on a CPU.

    python -m bench.bench_network [--out network.json] [--batch 8 ...] [--rounds 9]

Both are given what suits them: channels-last weights, inference mode, eager PyTorch. The U-Nets of
diffusers are the shapes closest to galgen's FLOPs, in three families: one or two layers per block
on 64 x 64 pixels, and one that is fed 4 x 4 pixels per cell as galgen feeds itself, which no user
of diffusers gets by default. Their best is what counts.

On one core the clock is the CPU time of the thread, so that other programs on the machine count
little. On all cores it is wall time, of as many micro-batches as there are cores: side by side,
each of one thread, as galgen makes galaxies, and for diffusers also split over the threads of each
operation. Contenders take turns, round by round.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import typer
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bench.bench_denoiser import SIZE, flops_per_image, inputs, network
from bench.record import save
from galgen.generate.sampling import DTYPES
from galgen.system.lanes import keep_memory

AGREE = 0.05  # how far FLOPs per image may be apart
CORES = os.cpu_count() or 1
Evaluate = Callable[[], object]


class Shape(NamedTuple):
    """A UNet2DModel: pixels per side of a cell, widths of its levels, layers per block."""

    patch: int
    widths: tuple[int, ...]
    layers: int

    def __str__(self) -> str:
        cells = f", {self.patch}x{self.patch} cells" if self.patch > 1 else ""
        return f"diffusers {'-'.join(map(str, self.widths))} x{self.layers}{cells}"


# Near 0.7 and 0.8 GFLOP per image: what `small` takes without and with a head on pixels.
FAMILIES = {
    "one layer": [
        Shape(1, widths, 1) for widths in ((16, 32, 64, 64), (16, 16, 80, 96), (16, 32, 32, 128))
    ],
    "two layers": [
        Shape(1, widths, 2) for widths in ((16, 16, 48, 64), (16, 16, 48, 80), (16, 16, 48, 96))
    ],
    "cells": [Shape(4, widths, 2) for widths in ((64, 96, 128), (64, 112, 128), (64, 128, 128))],
}


def unet2d(shape: Shape) -> nn.Module:
    """Return the model of diffusers, attending on its coarsest level, or two if fed with cells."""
    from diffusers import UNet2DModel

    levels, attentive = len(shape.widths), 2 if shape.patch > 1 else 1
    kinds = ["" if i < levels - attentive else "Attn" for i in range(levels)]
    return UNet2DModel(
        sample_size=SIZE // shape.patch,
        in_channels=3 * shape.patch**2,
        out_channels=3 * shape.patch**2,
        block_out_channels=shape.widths,
        layers_per_block=shape.layers,
        attention_head_dim=32,
        norm_num_groups=16,
        down_block_types=tuple(f"{kind}DownBlock2D" for kind in kinds),
        up_block_types=tuple(f"{kind}UpBlock2D" for kind in reversed(kinds)),
    )


def unet2d_inputs(shape: Shape, batch: int, device: str, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Return a channels-last batch and its time steps."""
    side, channels = SIZE // shape.patch, 3 * shape.patch**2
    x_bchw = torch.randn(batch, channels, side, side, device=device).to(dtype)
    x_bchw = x_bchw.contiguous(memory_format=torch.channels_last)
    return x_bchw, torch.full((batch,), 10.0, device=device)


@functools.cache
def unet2d_flops(shape: Shape) -> int:
    """Of matrix products and convolutions, per image; nothing is computed."""
    with torch.device("meta"):
        net = unet2d(shape)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(*unet2d_inputs(shape, 1, "meta", torch.float32))
    return counter.get_total_flops()


def equals(flops: int) -> list[Shape]:
    """Return the closest of each family, if it is close enough."""
    found = []
    for shapes in FAMILIES.values():
        best = min(shapes, key=lambda shape: abs(unet2d_flops(shape) / flops - 1))
        if abs(unet2d_flops(best) / flops - 1) <= AGREE:
            found.append(best)
    return found


class Contender(NamedTuple):
    """Something to time: one evaluation of a batch, and its FLOPs per image."""

    name: str
    evaluate: Evaluate
    flops: int


def contenders(dtype: torch.dtype, batch: int, preset: str) -> list[Contender]:
    """Return galgen first, then those of diffusers; weights are random numbers but for `small`."""
    net, flops = network(preset), flops_per_image(preset)
    arguments = inputs(net, batch, torch.device("cpu"))
    found = [Contender("galgen", functools.partial(net.eval().cast(dtype), *arguments), flops)]
    for shape in equals(flops):
        other = unet2d(shape).eval().to(dtype, memory_format=torch.channels_last)
        call = functools.partial(other, *unet2d_inputs(shape, batch, "cpu", dtype))
        found.append(Contender(str(shape), call, unet2d_flops(shape)))
    return found


def on_one_core(evaluate: Evaluate) -> float:
    """CPU seconds of this thread for an evaluation."""
    start = time.thread_time()
    with torch.inference_mode():
        evaluate()
    return time.thread_time() - start


def on_all_cores(evaluate: Evaluate, lanes: int) -> float:
    """Wall seconds of one evaluation per core: in lanes of one thread, or one after another."""

    def one(_: int) -> None:
        with torch.inference_mode():
            evaluate()

    if lanes == 1:
        start = time.perf_counter()
        for turn in range(CORES):
            one(turn)
        return time.perf_counter() - start
    with ThreadPoolExecutor(lanes, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(one, range(lanes)))  # threads start, and allocate, before the clock does
        start = time.perf_counter()
        list(pool.map(one, range(CORES)))
        return time.perf_counter() - start


Clock = Callable[[], float]


def in_turns(
    clocks: dict[tuple[str, str], Clock], rounds: int
) -> dict[tuple[str, str], list[float]]:
    """Return the times of every contender, the first round of each not counted."""
    times: dict[tuple[str, str], list[float]] = {key: [] for key in clocks}
    for turn, (key, clock) in product(range(rounds + 1), clocks.items()):
        seconds = clock()
        if turn:
            times[key].append(seconds)
    return times


def measure(dtype: torch.dtype, batch: int, rounds: int, preset: str) -> Iterable[dict[str, Any]]:
    """Return a row per contender and way of using the cores."""
    found = contenders(dtype, batch, preset)
    flops = {c.name: c.flops for c in found}
    ways: dict[str, dict[tuple[str, str], Clock]] = {"one core": {}, "all cores": {}}
    for c in found:
        ways["one core"][c.name, "1 thread"] = functools.partial(on_one_core, c.evaluate)
        lanes = functools.partial(on_all_cores, c.evaluate, CORES)
        ways["all cores"][c.name, f"{CORES} x 1 thread"] = lanes
        if c.name != "galgen":
            split = functools.partial(on_all_cores, c.evaluate, 1)
            ways["all cores"][c.name, f"1 x {CORES} threads"] = split
    before = torch.get_num_threads()
    try:
        for cores, clocks in ways.items():
            torch.set_num_threads(1 if cores == "one core" else CORES)
            images = batch * (1 if cores == "one core" else CORES)
            for (name, how), seconds in in_turns(clocks, rounds).items():
                rates = sorted(images * flops[name] / s / 1e9 for s in seconds)
                yield {
                    "cores": cores,
                    "contender": name,
                    "how": how,
                    "gflop_per_image": flops[name] / 1e9,
                    "images_per_second": images / statistics.median(seconds),
                    "gflops": statistics.median(rates),
                    "gflops_lowest": rates[0],
                    "gflops_highest": rates[-1],
                }
    finally:
        torch.set_num_threads(before)


def ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """GFLOP/s of galgen over the best of diffusers: on pixels, and of all."""
    found = []
    for row in rows:
        if row["contender"] == "galgen":
            same = [r for r in rows if all(r[k] == row[k] for k in ("dtype", "batch", "cores"))]
            others = [r for r in same if r["contender"] != "galgen"]
            pixels = [r["gflops"] for r in others if "cells" not in r["contender"]]
            where = {key: row[key] for key in ("dtype", "batch", "cores")}
            if pixels:
                where["over_diffusers"] = row["gflops"] / max(pixels)
            if others:
                where["over_diffusers_on_cells"] = row["gflops"] / max(r["gflops"] for r in others)
            found.append(where)
    return found


def main(
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
    batch: Annotated[list[int], typer.Option(help="Repeat for several.")] = [8, 32],  # noqa: B006
    dtype: Annotated[list[str], typer.Option(help="Repeat.")] = ["float32", "bfloat16"],  # noqa: B006
    rounds: Annotated[int, typer.Option(help="Timed, of each contender.")] = 9,
    preset: Annotated[str, typer.Option(help="galgen's network.")] = "small",
) -> None:
    """Time both and print a table."""
    if importlib.util.find_spec("diffusers") is None:
        print("Skipped: diffusers is not installed, and is what galgen is compared with.")
        return
    keep_memory()  # as galgen does; it helps both
    rows: list[dict[str, Any]] = []
    for precision, size in product(dtype, batch):
        for row in measure(DTYPES[precision], size, rounds, preset):
            rows.append({"dtype": precision, "batch": size} | row)
            spread = f"{row['gflops_lowest']:.0f} to {row['gflops_highest']:.0f}"
            what = f"{precision:9}{size:3} {row['cores']:10}{row['contender']:42}{row['how']:13}"
            print(f"{what}{row['gflops']:6.0f} GFLOP/s ({spread})", flush=True)
        save(out, {"load": os.getloadavg()[0], "evaluations": rows, "ratios": ratios(rows)})
    for row in ratios(rows):
        print(row)


if __name__ == "__main__":
    typer.run(main)
