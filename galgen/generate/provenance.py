"""What a catalogue's headers say of a run: everything its bytes depend on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from galgen import __version__
from galgen.batch import IDENTITY, SPARE
from galgen.columns import Column
from galgen.errors import DataError
from galgen.generate.observe import Observation
from galgen.generate.sampling import Sampling
from galgen.measure import measured_columns, truth_columns
from galgen.request.asked import Asker
from galgen.request.like import Like
from galgen.request.unmeasured import unmeasured_columns
from galgen.runinfo import RunInfo
from galgen.system.device import device_kind
from galgen.weights.checkpoint import Checkpoint

MAX_COLUMNS = 999  # of a table in FITS (standard 4.0, section 7.3.1)


def run_info(
    loaded: Checkpoint,
    device: torch.device,
    request: Asker,
    n: int,
    sampling: Sampling,
    observation: Observation,
) -> RunInfo:
    """Describe a run: all that is known of it before somebody stores its galaxies.

    Parameters
    ----------
    loaded, device, request, n, sampling, observation
        See `galgen.generate.run.Run`.

    Returns
    -------
    RunInfo
        Description of galaxies that are stored as float32, in one file without a date.

    Raises
    ------
    InvalidValueError
        If the kernels that GALGEN_KERNELS asks for cannot run on the device.
    """
    space, card, scale = loaded.space, loaded.card, observation.scale
    # The stretch is for flux as the model has it.
    as_trained = scale.factor == 1 and scale.source != "INPUT"
    as_trained &= observation.pixel_scale == space.pixel_scale
    info = RunInfo(
        n=n,
        seed=request.seed,
        bands=space.bands,
        height=loaded.size,
        width=loaded.size,
        request=request.as_text(),
        flux_unit=scale.unit,
        flux_calibration="LINEAR" if space.native == "flux" else "RGBINV",
        lupton=space.lupton if as_trained else None,
        zero_point=scale.zero_point,
        pixel_scale=observation.pixel_scale,
        model=card["name"],
        model_version=card["version"],
        weights_sha256=loaded.sha256,
        sampler=sampling.sampler,
        steps=sampling.steps,
        guidance=sampling.guidance,
        micro_batch=sampling.micro_batch,
        dtype=sampling.dtype,
        kernels=sampling.kernels_on(device),
        device=device_kind(device),
        training_set=card["training_set"],
        credit=card["credit"],
        versions={"galgen": __version__, "torch": torch.__version__, "numpy": np.__version__},
        flux_source=scale.source,
        mag_zero=scale.mag_zero,
        stamp_psf=space.psf_fwhm,
        psf=_listed(observation.psf_b),
        noise=_listed(observation.noise_b),
        hook=observation.hook_name,
        tree=loaded.tree,
    )
    if not isinstance(request, Like):
        return replace(info, carried=unmeasured_columns(loaded.population))
    return replace(
        info,
        like=request.table.path.name,
        like_sha256=request.table.sha256,
        like_rows=len(request.table),
        carried=_carried(request, space.bands),
    )


def _listed(values: tuple[float, ...]) -> str | None:
    """Return numbers with commas and all their digits, None for none."""
    return ",".join(map(repr, values)) or None


def _carried(request: Like, bands: tuple[str, ...]) -> tuple[Column, ...]:
    """Return the columns of a table that are carried over, if one table can hold them and ours."""
    ours = {*IDENTITY, SPARE, *(c.name for c in (*measured_columns(bands), *truth_columns(bands)))}
    if len(request.columns) > (room := MAX_COLUMNS - len(ours)):
        raise DataError(
            f"{request.table.path}: {len(request.columns):,} columns are to be carried over; a "
            f"FITS table has room for {room} beside those of galgen. Choose with `keep`, or leave "
            "some out with `drop`."
        )
    return _without_clashes(request.columns, ours)


def _without_clashes(columns: tuple[Column, ...], ours: set[str]) -> tuple[Column, ...]:
    """Return columns of a table under names that no column of the catalogue has."""
    taken = set(ours)
    named = []
    for column in columns:
        name = column.name
        while name.upper() in taken:
            name = f"IN_{name}"
        taken.add(name.upper())
        named.append(replace(column, name=name))
    return tuple(named)
