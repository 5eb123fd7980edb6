"""From data files to everything a training run needs besides the network."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from galgen.categories import DEFAULT, Taxonomy
from galgen.config import Preset
from galgen.data import StampSet, concatenate, open_stamps, split
from galgen.errors import InvalidValueError
from galgen.measure import measure, properties, property_names
from galgen.population import Population
from galgen.stretch import PixelSpace
from galgen.training.batches import BatchSource

_CHUNK = 512  # stamps measured at a time


@dataclass(frozen=True)
class Prepared:
    """Training inputs that follow from the data.

    Attributes
    ----------
    preset : Preset
        With bands and properties set from the data.
    space : PixelSpace
        Pixel scaling.
    population : Population
        Properties of the training galaxies.
    training, validation : BatchSource
        Galaxies to learn from and galaxies held out.
    size : int
        Side of the stamps.
    source : str
        Names of the data files.
    """

    preset: Preset
    space: PixelSpace
    population: Population
    training: BatchSource
    validation: BatchSource
    size: int
    source: str


def prepare(
    data: Sequence[Path], preset: Preset, size: int | None = None, tree: Taxonomy = DEFAULT
) -> Prepared:
    """Read, split and measure the training data.

    Parameters
    ----------
    data : sequence of Path
        Anything `galgen.data.open_stamps` reads; several are joined.
    preset : Preset
        Its number of bands and properties are replaced by those of the data.
    size : int, optional
        Side of the stamps, if other than the data's.
    tree : Taxonomy
        The categories of the data.

    Raises
    ------
    DataError
        If the data cannot be used; the message names the file.
    InvalidValueError
        If the stamps do not fit the network.
    """
    stamps = concatenate([open_stamps(path, size, tree) for path in data])
    training, validation = split(stamps, preset.train.validation)
    if min(len(training), len(validation)) == 0:
        raise InvalidValueError(
            "galaxies", len(stamps), "enough to hold some out", "Give more data."
        )
    height, width = stamps.pixels.shape[1:3]
    if height != width:
        hint = "Give a size to have them cut."
        raise InvalidValueError("stamp shape", (height, width), "square stamps", hint)
    space = PixelSpace.fit(training)
    names = property_names(stamps.bands)
    if np.isfinite(stamps.columns.get("redshift", np.nan)).any():
        names = (*names, "redshift")
    model = dataclasses.replace(preset.model, bands=len(stamps.bands), properties=names)
    model.check_size(height, width)
    preset = dataclasses.replace(preset, model=model)
    values = measured_properties(training, space, names)
    population = Population.fit(names, values, training.category, tree)
    held_out = population.standardised(measured_properties(validation, space, names))
    return Prepared(
        preset,
        space,
        population,
        BatchSource(training, population.z_np, space, preset.train),
        BatchSource(validation, held_out, space, preset.train),
        height,
        ", ".join(path.name for path in data),
    )


def measured_properties(stamps: StampSet, space: PixelSpace, names: Sequence[str]) -> np.ndarray:
    """Properties of real stamps, (N, P) float64, NaN where not measured or not in the data."""
    table = np.full((len(stamps), len(names)), np.nan)
    measured = property_names(stamps.bands)
    for start in range(0, len(stamps), _CHUNK):
        index = np.arange(start, min(start + _CHUNK, len(stamps)))
        flux_nhwc = space.to_flux(space.encode(stamps.native_float(index)))
        found = properties(measure(flux_nhwc, stamps.bands), stamps.bands)
        for column, name in enumerate(names):
            if name in measured:
                table[index, column] = found[name].numpy()
    for column, name in enumerate(names):
        # Another survey's half-light radius is not the one that is measured here.
        if name not in measured and name in stamps.columns:
            table[:, column] = stamps.columns[name]
    return table
