"""Would fp8 (e4m3) weights do for convolutions and projections? Population, and on a GPU speed.

``python -m bench.fp8_experiment galaxies64-train.zip --out bench/results/fp8.json``

The same galaxies (same noise, categories and properties) are made twice: with the weights as they
are, and with every matrix of the Astro-RABs' convolutions, QKV and projections rounded to e4m3 with
a scale per output channel. Both populations are compared with the held-out galaxies. fp8 is worth a
kernel only if the population does not change and, on a GPU, the products are faster.
"""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from bench.evaluate_weights import mixture_of
from galgen import CatalogFile, Sampling, evaluate, load_model, write_catalog
from galgen.data import StampSet, concatenate, open_stamps, split
from galgen.generate import GalaxyModel
from galgen.model.block import HalfBlock
from galgen.system.device import device_kind
from galgen.training.config import TrainConfig

LARGEST = torch.finfo(torch.float8_e4m3fn).max
TOKENS = 512 * 1024  # cells of a micro-batch of 512 at 32 x 32


def rounded(weight: Tensor) -> Tensor:
    """Return a matrix (out, in) as e4m3 can hold it, with one float32 scale per row."""
    scale = weight.abs().amax(1, keepdim=True).clamp_min(1e-12) / LARGEST
    return (weight / scale).to(torch.float8_e4m3fn).to(weight.dtype) * scale


def with_fp8_weights(model: GalaxyModel) -> tuple[GalaxyModel, float]:
    """Return a copy with rounded weights, and the relative error of the rounding."""
    checkpoint = copy.copy(model.checkpoint)
    object.__setattr__(checkpoint, "denoiser", copy.deepcopy(checkpoint.denoiser))
    error = total = 0.0
    with torch.no_grad():
        for block in checkpoint.denoiser.modules():
            if isinstance(block, HalfBlock):
                unit = block.unit
                parts = block.convolution, unit.convolution, unit.attention.qkv
                for part in (*parts, unit.attention.projection):
                    new = rounded(part.weight)
                    error += float((new - part.weight).square().sum())
                    total += float(part.weight.square().sum())
                    part.weight.copy_(new)
    return GalaxyModel(checkpoint, model.device), (error / total) ** 0.5


def population(model: GalaxyModel, held_out: StampSet, n: int, sampling: Sampling) -> dict:
    """Generate, compare with real galaxies, and keep the stamps for the direct comparison."""
    run = model.generate(mixture_of(held_out), n, sampling=sampling)
    with tempfile.TemporaryDirectory() as folder:
        path = write_catalog(Path(folder) / "generated.fits", run, run.info)
        found = evaluate(path, held_out)
        with CatalogFile(path) as catalog:
            stamps = catalog.stamps(slice(0, n))
    return {"evaluation": found.to_json(), "median_ratio": found.median, "stamps": stamps}


def product_speed(channels: int, device: torch.device) -> dict:
    """Milliseconds of tokens x (C, 3C) in bf16 and in fp8."""
    a = torch.randn(TOKENS, channels, device=device, dtype=torch.bfloat16)
    b = torch.randn(3 * channels, channels, device=device, dtype=torch.bfloat16)
    one = torch.ones((), device=device)
    a8, b8 = a.to(torch.float8_e4m3fn), b.to(torch.float8_e4m3fn)
    products = {
        "bf16": lambda: a @ b.T,
        "fp8": lambda: torch._scaled_mm(a8, b8.T, one, one, out_dtype=torch.bfloat16),
    }
    milliseconds = {}
    for name, product in products.items():
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        for _ in range(10):
            product()
        start.record()
        for _ in range(100):
            product()
        stop.record()
        torch.cuda.synchronize()
        milliseconds[name] = start.elapsed_time(stop) / 100
    return milliseconds


def main(
    data: Annotated[list[Path], typer.Argument(help="Labelled training data.")],
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    n: Annotated[int, typer.Option(help="Galaxies to generate, twice.")] = 480,
    steps: int = 16,
) -> None:
    """Write and print the comparison."""
    stamps = concatenate([open_stamps(path) for path in data])
    _, held_out = split(stamps.select(stamps.category != 0), TrainConfig.validation)
    model = load_model()
    sampling = Sampling.on(model.device, steps=steps)
    as_trained = population(model, held_out, n, sampling)
    fp8_model, weight_error = with_fp8_weights(model)
    in_fp8 = population(fp8_model, held_out, n, sampling)
    before, after = as_trained.pop("stamps"), in_fp8.pop("stamps")
    record = {
        "device": device_kind(model.device),
        "torch": torch.__version__,
        "galaxies": n,
        "steps": steps,
        "relative_error_of_weights": weight_error,
        "relative_change_of_stamps": float(np.linalg.norm(after - before) / np.linalg.norm(before)),
        "as_trained": as_trained,
        "fp8": in_fp8,
        "milliseconds": "not measured: no GPU",
    }
    if model.device.type == "cuda":
        widths = model.checkpoint.denoiser.net.config.widths
        record["milliseconds"] = {str(c): product_speed(c, model.device) for c in widths}
    out.write_text(json.dumps(record, indent=1) + "\n")
    print(f"median ratio {as_trained['median_ratio']:.3f} -> {in_fp8['median_ratio']:.3f} in fp8")


if __name__ == "__main__":
    typer.run(main)
