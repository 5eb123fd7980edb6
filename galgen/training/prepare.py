"""From data files to everything a training run needs besides the network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from galgen.categories import DEFAULT, Taxonomy
from galgen.data import StampSet, held_out
from galgen.errors import InvalidValueError
from galgen.measure import property_names
from galgen.pixels.space import PixelSpace
from galgen.request.population import TEACH, Population
from galgen.training.batches import BatchSource
from galgen.training.config import Preset
from galgen.training.fit_pixels import fit_pixels
from galgen.training.gather import gather
from galgen.training.measured import measured_properties

_REDSHIFTS = 0.5  # fraction of the population whose redshift must be known for it to be a property


@dataclass(frozen=True)
class Prepared:
    """Training inputs that follow from the data.

    Attributes
    ----------
    preset : Preset
        With bands and properties set from the data.
    space : PixelSpace
        Pixel scaling, fitted on the training galaxies that do not only teach.
    population : Population
        Properties of the same galaxies.
    training, validation : BatchSource
        Galaxies to learn from and galaxies held out, those that only teach among them.
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
    data: Sequence[Path],
    preset: Preset,
    size: int | None = None,
    *,
    tree: Taxonomy = DEFAULT,
    teach: Sequence[Path] = (),
    corrections: Path | None = None,
    folders: Iterable[Path] = (),
    report: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
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
    teach : sequence of Path
        Data whose galaxies teach the network but are not in the population. The network is told by
        the property ``teach``, which there is where some galaxies of the training set teach only.
    corrections : Path, optional
        Labels to replace, see `galgen.data.relabel.relabel`.
    folders : iterable of Path
        Where measurements are kept, see `galgen.training.cache`; by default they are not.
    report, stop : callable
        See `galgen.training.measured.measured_properties`.

    Returns
    -------
    Prepared
        All that a run needs besides the network and where it writes.

    Raises
    ------
    DataError
        If the data cannot be used; the message names the file.
    InvalidValueError
        If the stamps do not fit the network, or too few galaxies are left to train on or to hold
        out.
    InterruptedRunError
        If `stop` said so while galaxies were measured; what had been measured is kept.
    """
    stamps = gather(data, teach, size, corrections, tree)
    is_training = ~held_out(stamps, preset.train.validation)
    of_population = is_training & (stamps.columns[TEACH] == 0)
    if not is_training.any() or is_training.all():
        raise InvalidValueError(
            "galaxies", len(stamps), "enough to hold some out", "Give more data."
        )
    if not of_population.any():
        hint = "Give some data that does not only teach."
        raise InvalidValueError("galaxies of the population", 0, "1 or more", hint)
    height, width = stamps.pixels.shape[1:3]
    if height != width:
        hint = "Give a size to have them cut."
        raise InvalidValueError("stamp shape", (height, width), "square stamps", hint)
    space = fit_pixels(stamps.select(of_population))
    names = _names(stamps, is_training, of_population)
    model = dataclasses.replace(preset.model, bands=len(stamps.bands), properties=names)
    model.check_size(height, width)
    preset = dataclasses.replace(preset, model=model)
    values_np = measured_properties(stamps, names, folders=folders, report=report, stop=stop)
    codes = stamps.category[of_population]
    population = Population.fit(names, values_np[of_population], codes, tree)
    z_np = population.standardised(values_np)

    def source(rows: np.ndarray) -> BatchSource:
        return BatchSource(stamps.select(rows), z_np[rows], space, preset.train)

    return Prepared(
        preset,
        space,
        population,
        source(is_training),
        source(~is_training),
        height,
        ", ".join(path.name for path in (*data, *teach)),
    )


def _names(stamps: StampSet, is_training: np.ndarray, of_population: np.ndarray) -> tuple[str, ...]:
    """Names of the properties that the network is told."""
    names = property_names(stamps.bands)
    # Where few have a redshift, having one says which survey a galaxy is from. Text is no redshift.
    redshift = stamps.columns.get("redshift", np.full(len(stamps), np.nan))[of_population]
    if redshift.dtype.kind == "f" and np.isfinite(redshift).mean() >= _REDSHIFTS:
        names = (*names, "redshift")
    if of_population.sum() < is_training.sum():
        names = (*names, TEACH)
    return names
