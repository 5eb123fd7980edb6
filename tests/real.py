"""Catalogues of real galaxies, as if they had been generated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from galgen.batch import GalaxyBatch
from galgen.catalog import write_catalog
from galgen.columns import Column
from galgen.data import StampSet, open_stamps
from galgen.measure import measure
from galgen.runinfo import RunInfo

FIXTURE = Path(__file__).parent / "fixtures" / "galaxies64.zip"


def fixture_stamps() -> StampSet:
    """The 24 real galaxies of the repository."""
    return open_stamps(FIXTURE)


def population(n: int, seed: int) -> StampSet:
    """Any number of galaxies like the real ones: turned, resized, brighter or fainter, as flux.

    Of category ``galaxy``.
    """
    rng = np.random.default_rng(seed)
    real = fixture_stamps()
    flux_nchw = real.flux()[rng.integers(len(real), size=n)].movedim(-1, 1)
    angle, zoom = rng.uniform(0, 2 * np.pi, n), rng.uniform(0.8, 1.25, n)
    cos, sin = np.cos(angle) * zoom, np.sin(angle) * zoom
    affine = np.stack([[cos, -sin, 0 * cos], [sin, cos, 0 * cos]]).transpose(2, 0, 1)
    where = F.affine_grid(torch.tensor(affine).float(), flux_nchw.shape, align_corners=False)
    turned_nchw = F.grid_sample(flux_nchw, where, align_corners=False)
    brightness = torch.tensor(10 ** rng.normal(0, 0.2, n)).float()
    flux_nhwc = turned_nchw.movedim(1, -1) * brightness[:, None, None, None]
    return StampSet(
        pixels=np.ascontiguousarray(flux_nhwc.numpy()),
        native="flux",
        bands=real.bands,
        category=np.zeros(n, np.int16),
        ids=np.array([f"{seed}-{i}" for i in range(n)]),
        lupton="sdss",
        source=f"population {seed}",
    )


def run_info(stamps: StampSet) -> RunInfo:
    """Provenance of a run that made these stamps."""
    return RunInfo(
        n=len(stamps),
        seed=7,
        bands=stamps.bands,
        height=stamps.pixels.shape[1],
        width=stamps.pixels.shape[2],
        request="galaxy",
        flux_unit="adu" if stamps.native == "display" else stamps.unit,
        flux_calibration="RGBINV" if stamps.native == "display" else "LINEAR",
        lupton=stamps.lupton,
        zero_point=None,
        pixel_scale=stamps.pixel_scale,
        model="none",
        model_version="0",
        weights_sha256="0" * 64,
        sampler="none",
        steps=1,
        guidance=1.0,
        micro_batch=8,
        dtype="float32",
        kernels="reference",
        device="cpu",
        training_set="itself",
        credit="SDSS, Galaxy Zoo",
    )


def write_real(
    path: Path,
    stamps: StampSet,
    changed: Mapping[str, np.ndarray] | None = None,
    info: RunInfo | None = None,
    carried: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Write a catalogue of `stamps`, some measured columns replaced and some float64 ones added."""
    info, carried = info or run_info(stamps), carried or {}
    info = replace(info, carried=tuple(Column(name, "D") for name in carried))
    flux_nhwc = stamps.flux()
    measured = {name: c.numpy() for name, c in measure(flux_nhwc, stamps.bands).items()}
    measured |= {name: np.asarray(c, np.float32) for name, c in (changed or {}).items()}

    def batches(size: int = 8) -> Iterator[GalaxyBatch]:
        for start in range(0, len(stamps), size):
            rows = slice(start, start + size)
            yield GalaxyBatch(
                galaxy_id_n=np.arange(len(stamps))[rows],
                category_n=stamps.category[rows],
                stamps_nbhw=flux_nhwc[rows].permute(0, 3, 1, 2).contiguous().numpy(),
                measured={name: column[rows] for name, column in measured.items()},
                bands=stamps.bands,
                seed=info.seed,
                carried={name: column[rows].astype(">f8") for name, column in carried.items()},
            )

    return write_catalog(path, batches(), replace(info, n=len(stamps)))
