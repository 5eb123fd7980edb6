"""One evaluation of the whole network: eager, compiled, fused, and fused and compiled.

    python -m bench.bench_denoiser [--out denoiser.json] [--preset fast ...] [--batch 512 ...]

All in bfloat16 and channels last, each as a CUDA graph. `small` has the shipped weights, others
random ones. Compiling takes long, with ``--autotune`` minutes, so it is done for a few batch sizes
only and last; ``--seconds`` starts nothing new after that time. Without a GPU a tiny network shows
that this runs.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, NamedTuple

import torch
import typer
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from bench import ceilings
from bench.record import save
from bench.timing import warm_seconds
from galgen.generate import load_model
from galgen.model.config import ModelConfig
from galgen.model.embedding import Condition
from galgen.model.unet import UNet
from galgen.system.device import pick_device
from galgen.training.presets import get_preset
from galgen_kernels import use_backend

GPU = torch.cuda.is_available()
PRESETS = ["fast", "small"] if GPU else ["tiny"]
BATCHES = [16, 32, 64, 128, 256, 512, 1024, 2048] if GPU else [2]
COMPILED_BATCHES = [512, 2048] if GPU else [2]
ROUNDS = 15 if GPU else 1
SIZE = 64  # side of a stamp, pixels
CHECKED = 16  # images that are compared with float64
WRONG = 0.1  # relative error; rounding to bfloat16 all through a network makes it 0.01 to 0.02
HOW = {"mode": "default"} if GPU else {"backend": "aot_eager"}
AUTOTUNED = {"mode": "max-autotune-no-cudagraphs"} if GPU else HOW


class Contender(NamedTuple):
    """A backend of `galgen_kernels`, and whether torch.compile gets the network."""

    backend: str
    compiled: bool


CONTENDERS = {
    "eager": Contender("reference", False),
    "fused": Contender("triton", False),
    "compiled": Contender("reference", True),  # the one to beat
    "fused, compiled": Contender("triton", True),
}


def network(preset: str) -> UNet:
    """In float32; no parameter is zero, as many are before training: zeros draw less power."""
    if preset == "small":
        return load_model().checkpoint.denoiser.net
    torch.manual_seed(0)
    net = UNet(get_preset(preset).model)
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.5 * parameter.shape[-1] ** -0.5)
    return net.to(pick_device())


def inputs(net: UNet, batch: int, device: torch.device) -> tuple[Tensor, Tensor, Condition]:
    """Noise, its level, and a condition that asks for nothing."""
    generator = torch.Generator(device).manual_seed(0) if device.type != "meta" else None
    shape = batch, SIZE, SIZE, net.config.bands
    x_nhwc = torch.randn(shape, generator=generator, device=device)
    category_n = torch.zeros(batch, dtype=torch.long, device=device)
    properties_np = torch.zeros(batch, len(net.config.properties), device=device)
    level_b = torch.full((batch,), 0.3, device=device)
    return x_nhwc, level_b, Condition(category_n, properties_np)


def flops_per_image(preset: str) -> int:
    """Of matrix products and convolutions; nothing is computed."""
    return flops_of(get_preset(preset).model)


def flops_of(model: ModelConfig) -> int:
    """Return those of one evaluation of a network of such a shape, for one image."""
    with torch.device("meta"):
        net = UNet(model).to("meta")  # .to: a buffer comes from NumPy
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), use_backend("reference"), counter:
        net(*inputs(net, 1, torch.device("meta")))
    return counter.get_total_flops()


def relative_error(net: UNet, got: Tensor, batch: int) -> float:
    """Of the first images, against the reference in float64."""
    x_nhwc, level_b, condition = inputs(net, batch, pick_device())
    few = slice(CHECKED)
    some = Condition(condition.category_n[few], condition.properties_np[few])
    with use_backend("reference"):
        right = net.cast(torch.float64)(x_nhwc[few], level_b[few], some).double()
    return float((got[few] - right).norm() / right.norm())


def measure(net: UNet, contender: Contender, batch: int, how: dict[str, str]) -> dict[str, float]:
    """Time of one evaluation, and how long it took until the first one was done."""
    torch.compiler.reset()
    arguments = inputs(net, batch, pick_device())
    start, evaluate = perf_counter(), net.cast(torch.bfloat16)
    if contender.compiled:
        evaluate.compile(fullgraph=True, dynamic=False, **how)
    with torch.inference_mode(), use_backend(contender.backend):
        call = functools.partial(evaluate, *arguments)
        got = call().cpu()
        ready = perf_counter() - start
        seconds = warm_seconds(call, ROUNDS)
        error = relative_error(net, got.to(pick_device()), batch)
    return {"seconds": seconds, "ready_seconds": ready, "relative_error": error}


def attempt(
    net: UNet,
    contender: Contender,
    batch: int,
    how: dict[str, str],
    flops: int,
    limits: ceilings.Ceilings,
) -> dict[str, Any]:
    """Return what `measure` finds, with rates, or why there is nothing."""
    try:
        row = measure(net, contender, batch, how)
    except torch.OutOfMemoryError as error:
        return {"left_out": str(error)[:200]}
    finally:
        if GPU:
            torch.cuda.empty_cache()
    rate = batch / row["seconds"]
    rates = {"images_per_second": rate, "tflops": rate * flops / 1e12}
    return row | rates | {"of_matmul_rate": rate * flops / limits.matmul_flops}


def describe(row: dict[str, Any]) -> str:
    """Return a line of the table."""
    what = f"{row['preset']:8}{row['contender']:16}{row['batch']:6}"
    if "left_out" in row:
        return f"{what}  left out: {row['left_out']}"
    rates = f"{row['images_per_second']:12.0f} images/s{row['tflops']:9.2f} TFLOP/s"
    return f"{what}{rates}{row['of_matmul_rate']:7.1%}   error {row['relative_error']:.1e}"


def plan(
    presets: list[str], batches: list[int], compiled_batches: list[int]
) -> Iterator[tuple[str, str, int]]:
    """(preset, contender, batch): what takes minutes comes last."""
    names = [name for name, how in CONTENDERS.items() if GPU or how.backend == "reference"]
    for compiled, sizes in ((False, batches), (True, compiled_batches)):
        chosen = [name for name in names if CONTENDERS[name].compiled == compiled]
        yield from ((p, name, b) for p, b, name in product(presets, sizes, chosen))


def speedups(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compare the fastest fused one with the compiled reference, where both were timed."""
    found = []
    for row in rows:
        if row["contender"] == "compiled" and "seconds" in row:
            same = [r for r in rows if (r["preset"], r["batch"]) == (row["preset"], row["batch"])]
            fused = [r["seconds"] for r in same if "fused" in r["contender"] and "seconds" in r]
            if fused:
                where = {"preset": row["preset"], "batch": row["batch"]}
                found.append(where | {"over_compiled": row["seconds"] / min(fused)})
    return found


def main(
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
    preset: Annotated[list[str], typer.Option(help="Repeat for several.")] = PRESETS,
    batch: Annotated[list[int], typer.Option(help="Repeat for several.")] = BATCHES,
    compiled_batch: Annotated[list[int], typer.Option(help="To compile for.")] = COMPILED_BATCHES,
    autotune: Annotated[bool, typer.Option("--autotune", help="Compile for minutes.")] = False,
    seconds: Annotated[float, typer.Option(help="Start nothing after this time.")] = float("inf"),
) -> None:
    """Time every contender and print a table. Exits with 1 if a result is wrong."""
    torch.backends.cudnn.benchmark = True  # convolutions at their best
    start, limits = perf_counter(), ceilings.measure()
    how = AUTOTUNED if autotune else HOW
    nets = {name: network(name).eval().requires_grad_(False) for name in preset}
    flops = {name: flops_per_image(name) for name in preset}
    rows: list[dict[str, Any]] = []
    for name, contender, size in plan(preset, batch, compiled_batch):
        row: dict[str, Any] = {"preset": name, "contender": contender, "batch": size}
        rows.append(row)
        if perf_counter() - start > seconds:
            row["left_out"] = "no time"
        else:
            row |= attempt(nets[name], CONTENDERS[contender], size, how, flops[name], limits)
            print(describe(row), flush=True)
        results = {"ceilings": limits._asdict(), "flops_per_image": flops, "evaluations": rows}
        results["compiled_how"] = how
        save(out, results | {"speedups": speedups(rows)})
    if any(row.get("relative_error", 0.0) > WRONG for row in rows):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
