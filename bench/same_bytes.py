"""The same galaxies twice: the same bytes on one device, and nearly the same pixels on another.

    python -m bench.same_bytes FOLDER [--out same-bytes.json]

With the shipped weights: of untrained ones the last layer is zero, and hides all others. They are
also made with one micro-batch at a time, where there are several by default. On a GPU the same
galaxies are also made on the CPU: noise is the same bit for bit, so that pixels differ by rounding
alone.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from bench.command import mass_seconds
from bench.record import save
from galgen import CatalogFile

GPU = torch.cuda.is_available()
SAMPLING = ("--steps", 4, "--sampler", "ddpm")  # with noise in every step
BATCH = 512 if GPU else 4
COMPARED = 64  # galaxies that are also made on the CPU
MOST = {"float32": 1e-2, "bfloat16": 0.3}  # relative difference; another galaxy is at about 1


def made(path: Path, n: int, *options: object, lanes: int | None = None) -> Path:
    """Write one catalogue."""
    mass_seconds(path, n, min(n, BATCH), *SAMPLING, *options, lanes=lanes)
    return path


def sha256(path: Path) -> str:
    """Digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamps(path: Path) -> np.ndarray:
    """All pixels, float64."""
    with CatalogFile(path) as catalog:
        return np.asarray(catalog.stamps(slice(None)), np.float64)


def far(path: Path, reference: Path) -> float:
    """Norm of the difference of two catalogues' pixels over the norm of the second's."""
    first, second = stamps(path), stamps(reference)
    return float(np.linalg.norm(first - second) / np.linalg.norm(second))


def main(
    folder: Annotated[Path, typer.Argument(help="Where to write catalogues.")],
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
    n: Annotated[int, typer.Option(help="Galaxies.")] = 2048 if GPU else 4,
) -> None:
    """Compare. Exits with 1 if bytes differ, or pixels more than rounding explains."""
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, object] = {"galaxies": n}
    lanes = {"a": None, "b": None, "one-lane": 1}
    runs = {run: sha256(made(folder / f"{run}.fits", n, lanes=k)) for run, k in lanes.items()}
    fine = len({*runs.values()}) == 1
    results |= {"same_bytes": fine, "sha256": runs}
    save(out, results)
    if GPU:
        cpu = made(folder / "cpu.fits", COMPARED, "--device", "cpu", "--dtype", "float32")
        for dtype, most in MOST.items():
            found = far(made(folder / "gpu.fits", COMPARED, "--dtype", dtype), cpu)
            results[f"{dtype}, GPU against CPU"] = {"relative": found, "tolerance": most}
            fine &= found <= most
            save(out, results)
    print(results)
    if not fine:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
