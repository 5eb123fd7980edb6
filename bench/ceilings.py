"""What this device can do at most: bf16 matrix products, and copies in memory and in cache.

    python -m bench.ceilings [--out ceilings.json]

Other benchmarks measure these in their own run, so that a throttled or shared device lowers the
ceiling with the figure.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
import typer

from bench.record import save
from bench.timing import warm_seconds
from galgen.system.device import pick_device

MATMUL_SIDES = {"cuda": (4096, 8192, 16384), "cpu": (256, 512)}
COPY_BYTES = {"cuda": 2 << 30, "cpu": 64 << 20}
CACHED_BYTES = {"cuda": 8 << 20, "cpu": 256 << 10}  # source and copy together fit into L2 twice


class Ceilings(NamedTuple):
    """Rates per second.

    Attributes
    ----------
    matmul_flops : float
        Operations of a large square bf16 matrix product, of random numbers: those of zeros draw
        less power and run at a higher clock.
    copy_bytes, cached_copy_bytes : float
        Bytes read plus bytes written by a copy much larger than L2, and by one that fits into it.
    """

    matmul_flops: float
    copy_bytes: float
    cached_copy_bytes: float


@functools.cache
def measure() -> Ceilings:
    """Measured once per process, on the device that galgen picks."""
    device = pick_device()
    return Ceilings(
        max(_matmul_flops(side, device) for side in MATMUL_SIDES[device.type]),
        _copy_bytes(COPY_BYTES[device.type], device),
        _copy_bytes(CACHED_BYTES[device.type], device),
    )


def _matmul_flops(side: int, device: torch.device) -> float:
    a, b = torch.randn(2, side, side, device=device, dtype=torch.bfloat16)
    out = torch.empty_like(a)
    return 2 * side**3 / warm_seconds(lambda: torch.mm(a, b, out=out))


def _copy_bytes(size: int, device: torch.device) -> float:
    source, target = torch.ones(2, size, dtype=torch.uint8, device=device)
    return 2 * size / warm_seconds(lambda: target.copy_(source))


def main(out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None) -> None:
    """Measure and print the ceilings."""
    found = measure()
    print(f"bf16 matrix product    {found.matmul_flops / 1e12:10.3f} TFLOP/s")
    print(f"copy, in memory        {found.copy_bytes / 1e9:10.1f} GB/s")
    print(f"copy, in L2            {found.cached_copy_bytes / 1e9:10.1f} GB/s")
    save(out, {"ceilings": found._asdict()})


if __name__ == "__main__":
    typer.run(main)
