"""How long ``galgen mass`` takes to make one micro-batch, with empty and with filled caches.

    python -m bench.bench_start [--out start.json]

Triton's and torch.compile's caches start in an empty folder; the same command then runs again.
``GALGEN_AOT_LIBRARY`` is passed on: set it to time a start with kernels compiled ahead of time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from bench.command import CommandError, import_seconds, mass_seconds
from bench.record import save

GPU = torch.cuda.is_available()
BATCH = 512 if GPU else 4
SAMPLING = ("--steps", 2, "--sampler", "dpmpp-2m", "--dtype", "bfloat16" if GPU else "float32")
VARIANTS: dict[str, tuple[str, ...]] = {"eager": (), "compiled": ("--compile",)}
CACHES = ("TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
CHOSEN = list(VARIANTS) if GPU else ["eager"]  # compiling for a CPU takes minutes
WARM_RUNS = 2 if GPU else 1


def time_start(options: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Seconds of the first run, and of those after it, as they come to be known."""
    with tempfile.TemporaryDirectory() as folder:
        caches = {name: str(Path(folder) / name.lower()) for name in CACHES}
        out = Path(folder) / "cat.fits"

        def run() -> float:
            return mass_seconds(out, BATCH, BATCH, *SAMPLING, *options, environment=caches)

        found: dict[str, Any] = {}
        try:
            found = {"cold": run(), "warm": []}
            yield found
            for _ in range(WARM_RUNS):
                found["warm"].append(run())
                yield found
        except CommandError as error:
            yield found | {"error": str(error)}


def main(
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
    variant: Annotated[list[str], typer.Option(help="Repeat for several.")] = CHOSEN,
) -> None:
    """Time all variants. Exits with 1 if a command fails."""
    import_seconds()  # from disk to the page cache
    results: dict[str, Any] = {"galaxies": BATCH, "import_torch": import_seconds(), "starts": {}}
    print(f"import torch: {results['import_torch']:.1f} s")
    for name in variant:
        for found in time_start(VARIANTS[name]):
            results["starts"][name] = found
            print(name, found, flush=True)
            save(out, results)
    if any("error" in found for found in results["starts"].values()):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
