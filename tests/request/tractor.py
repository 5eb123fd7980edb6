"""A table as the Legacy Surveys have it, and runs after tables, as arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from astropy.table import Table

from galgen.generate import GalaxyModel, Run
from galgen.generate.observe import Observing
from galgen.generate.sampling import Sampling
from galgen.model.embedding import Condition
from galgen.request.table import InputTable

QUICK = Sampling("ipndm", steps=2, micro_batch=8)
SKY = Observing(pixel_scale=0.5)


def tractor(n: int = 13) -> Table:
    """As the Legacy Surveys have it: rows of odd length, vectors, flags, unsigned numbers."""
    rng = np.random.default_rng(1)
    phi, e = rng.uniform(0, np.pi, n), rng.uniform(0.1, 0.5, n)
    colours = rng.uniform(0.3, 0.6, (2, n))
    flux_r = 10 ** rng.uniform(0, 2, n)
    table = Table(
        {
            "BRICKNAME": [f"00{i:02d}p{i}" for i in range(n)],
            "OBJID": np.arange(n, dtype=np.int32),
            "GALAXY_ID": np.arange(n) + 10**12,  # ours too
            "CATEGORY": np.resize(["spiral", "round", "edge-on"], n),
            "RA": rng.uniform(0, 360, n),
            "DEC": rng.uniform(-90, 90, n),
            "FLUX_G": (flux_r * 10 ** (-0.4 * colours[0])).astype(np.float32),
            "FLUX_R": flux_r.astype(np.float32),
            "FLUX_I": (flux_r * 10 ** (0.4 * colours[1])).astype(np.float32),
            "SHAPE_R": rng.uniform(2, 4, n).astype(np.float32),
            "SHAPE_E1": (e * np.cos(2 * phi)).astype(np.float32),
            "SHAPE_E2": (e * np.sin(2 * phi)).astype(np.float32),
            "NOBS": rng.integers(0, 9, (n, 3), dtype=np.int16),
            "ANYMASK": rng.random(n) < 0.5,
            "REF_ID": rng.integers(0, 2**16, n, dtype=np.uint16),
            "Z_PHOT": np.where(rng.random(n) < 0.3, np.nan, rng.random(n)),
        }
    )
    table["SHAPE_R"].unit = "arcsec"
    table["RA"].unit = "deg"
    return table


def like(model: GalaxyModel, table: Path | InputTable, **options) -> Run:
    return model.like(table, **{"observing": SKY, "sampling": QUICK} | options)


def columns(run: Run, ranges=None) -> dict[str, np.ndarray]:
    batches = list(run if ranges is None else run.batches(ranges))
    tables = [
        {"CATEGORY": b.category_n, "stamps": b.stamps_nbhw, **b.measured, **b.carried}
        for b in batches
    ]
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def conditions(model: GalaxyModel, run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Categories and standardised properties that the network of a new run is given."""
    asked: list[Condition] = []
    net = model.checkpoint.denoiser.net
    handle = net.register_forward_pre_hook(lambda _, args: asked.append(args[2]))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # one lane: micro-batches go through the network in their order
    try:
        list(run)
    finally:
        torch.set_num_threads(threads)
        handle.remove()
    asked = asked[:: len(asked) // -(-len(run) // QUICK.micro_batch)]  # once per micro-batch
    code_n = torch.cat([one.category_n for one in asked])[: len(run)]
    return code_n.numpy(), torch.cat([one.properties_np for one in asked])[: len(run)].numpy()
