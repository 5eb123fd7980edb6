"""Throughput of generation with the shipped weights.

``pytest bench/bench_generate.py --benchmark-only --benchmark-json out.json``; GALGEN_BENCH_BATCH
sets the micro-batch (default 32, which suits a CPU; a GPU wants 512 or more).
"""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from galgen import noise, write_catalog
from galgen.generate.sampling import DTYPES, Sampling
from galgen.measure import measure
from galgen.model.embedding import Condition

BATCH = int(os.environ.get("GALGEN_BENCH_BATCH", "32"))


def synchronise(model) -> None:
    """Wait for the GPU, so that a timing covers the work and not its launch."""
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)


def rate(benchmark, galaxies: int) -> None:
    """Record galaxies per second beside the times."""
    benchmark.extra_info["galaxies"] = galaxies
    benchmark.extra_info["galaxies_per_second"] = galaxies / benchmark.stats.stats.median


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_denoiser(benchmark, model, dtype):
    """One evaluation of the network."""
    loaded, device = model.checkpoint, model.device
    x_nhwc = torch.randn(BATCH, loaded.size, loaded.size, len(loaded.space.bands), device=device)
    level_b = torch.zeros(BATCH, device=device)
    properties = torch.zeros(BATCH, len(loaded.population.names), device=device)
    condition = Condition(torch.zeros(BATCH, dtype=torch.long, device=device), properties)

    net = loaded.denoiser.net.cast(DTYPES[dtype])

    def evaluate() -> None:
        with torch.inference_mode():
            net(x_nhwc, level_b, condition)
        synchronise(model)

    benchmark.pedantic(evaluate, warmup_rounds=2, rounds=5)
    rate(benchmark, BATCH)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("steps", [2, 16])
def test_mass(benchmark, model, tmp_path, steps, dtype):
    """A whole catalogue: noise, sampling, measurement, bytes on disk."""
    n = 2 * BATCH
    sampling = Sampling(steps=steps, micro_batch=BATCH, dtype=dtype)

    def mass() -> None:
        run = model.generate("spiral", n, sampling=sampling)
        write_catalog(tmp_path / "cat.fits", run, run.info, overwrite=True)

    benchmark.pedantic(mass, warmup_rounds=1, rounds=3)
    rate(benchmark, n)


def test_noise(benchmark, model):
    """Counter-based normal numbers for one micro-batch."""
    loaded = model.checkpoint
    shape = (loaded.size, loaded.size, len(loaded.space.bands))
    index_n = torch.arange(BATCH, device=model.device)

    def draw() -> None:
        noise.normal(0, index_n, shape, noise.Stream.INITIAL_NOISE)
        synchronise(model)

    benchmark.pedantic(draw, warmup_rounds=1, rounds=5)
    rate(benchmark, BATCH)


def test_measure(benchmark, model):
    """Catalogue columns from stamps."""
    run = model.generate("spiral", BATCH, sampling=Sampling(steps=4, micro_batch=BATCH))
    stamps_nbhw = torch.from_numpy(next(iter(run)).stamps_nbhw.astype(np.float32)).to(model.device)
    flux_nhwc = stamps_nbhw.permute(0, 2, 3, 1).contiguous()

    def columns() -> None:
        measure(flux_nhwc, run.info.bands)
        synchronise(model)

    benchmark.pedantic(columns, warmup_rounds=1, rounds=5)
    rate(benchmark, BATCH)
