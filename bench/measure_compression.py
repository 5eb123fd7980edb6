"""How much smaller `galgen compress` makes a catalogue, and what that changes.

``galgen mass --category galaxy --n 500 --out cat.fits``, then
``python -m bench.measure_compression cat.fits --out bench/results/compress-sdss-small.json``

For each quantisation: the ratio of the files; the rms error of pixels in units of the sky noise of
their band; and, for stamps measured again, the median and the 99th percentile of the change of
columns, relative for fluxes and radii.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from bench.record import save
from galgen.catalog import CatalogFile
from galgen.catalog.convert.compress import compress_catalog
from galgen.measure import detect, measure

RELATIVE = ("FLUX_", "HALF_LIGHT_RADIUS", "SNR")
COLUMNS = (*RELATIVE, "COLOR_", "AXIS_RATIO", "ASYMMETRY", "SURFACE_BRIGHTNESS")
QUANTIZE = (4.0, 8.0, 16.0, 32.0)


def main(
    catalog: Path,
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    n: Annotated[int, typer.Option(help="Stamps to measure again.")] = 500,
) -> None:
    """Compress a catalogue at several settings, measure its stamps again, and write JSON."""
    with CatalogFile(catalog) as file:
        weights, bands, wanted_nbhw = file.info.model, file.bands, file.stamps(slice(n))
    columns = _measured(wanted_nbhw, bands)
    noise_b = _sky_noise(torch.from_numpy(wanted_nbhw)).median(0).values.numpy()
    settings = {f"q = {q:g}": {"quantize": q} for q in QUANTIZE} | {"lossless": {"lossless": True}}
    results = {}
    for name, options in settings.items():
        with tempfile.TemporaryDirectory() as folder:
            done = compress_catalog(catalog, Path(folder) / "cat.fits.fz", **options)
            with CatalogFile(done.path) as file:
                found_nbhw = file.stamps(slice(n))
        error_b = np.sqrt(((found_nbhw - wanted_nbhw) ** 2).mean((0, 2, 3), dtype=np.float64))
        results[name] = {
            "ratio": done.before / done.after,
            "rms_error_over_sky_noise": dict(zip(bands, (error_b / noise_b).tolist(), strict=True)),
            "changes": _changes(columns, _measured(found_nbhw, bands)),
        }
        print(f"{name:9s} {done.before / done.after:5.2f} times smaller, error {error_b / noise_b}")
        save(out, {"weights": weights, "galaxies": len(wanted_nbhw), "settings": results})


def _sky_noise(flux_nbhw: torch.Tensor) -> torch.Tensor:
    """Sigma (N, B) in the border of stamps."""
    frame = detect.frame_pixels(flux_nbhw)
    return detect.deviation_sigma((frame - detect.sky_level(frame)[..., None]).abs())


def _measured(stamps_nbhw: np.ndarray, bands: tuple[str, ...]) -> dict[str, np.ndarray]:
    found = measure(torch.from_numpy(stamps_nbhw).movedim(1, -1), bands)
    return {name: c.numpy() for name, c in found.items() if name.startswith(COLUMNS)}


def _changes(
    before: dict[str, np.ndarray], after: dict[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    changes = {}
    for name, wanted in before.items():
        change = np.abs(after[name] - wanted)
        change = change / np.abs(wanted) if name.startswith(RELATIVE) else change
        median, most = np.nanquantile(change, [0.5, 0.99])
        changes[name] = {"median": float(median), "99 %": float(most)}
    return changes


if __name__ == "__main__":
    typer.run(main)
