"""Where galaxies come from, as the input objects of GalSim: a catalogue file, or a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from weakref import finalize

import numpy as np
import torch

from galgen.catalog import CatalogFile
from galgen.catalog.format.schema import pack_rows, row_dtype, run_columns
from galgen.columns import numbered_dtype
from galgen.errors import InvalidValueError
from galgen.galsim.galaxies import Galaxies
from galgen.generate import load_model

_BLOCK = 16  # galaxies of a file cleaned at a time


class GalgenCatalog(Galaxies):
    """Galaxies of a catalogue written by ``galgen mass``: GalSim's input type ``galgen_catalog``.

    Parameters
    ----------
    file_name : str or Path
        The catalogue.
    dir : str or Path, optional
        Its folder.

    Attributes
    ----------
    nobjects : int
        How many galaxies there are.
    bands : tuple of str
        Bluest first.
    pixel_scale : float or None
        Arcsec per pixel of the stamps, None where they have no common one.

    Raises
    ------
    DataError, CatalogError
        If the file is missing, not a catalogue or damaged.

    Examples
    --------
    >>> catalog = GalgenCatalog("spirals.fits")  # doctest: +SKIP
    >>> galaxy = make_galaxy(catalog, 3, mag=18.0, zeropoint=25.0, half_light_radius=1.2)
    ... # doctest: +SKIP
    """

    # What GalSim looks for.
    _req_params: ClassVar[dict[str, type]] = {"file_name": str}
    _opt_params: ClassVar[dict[str, type]] = {"dir": str}

    def __init__(self, file_name: str | Path, dir: str | Path = "") -> None:
        path = Path(dir) / file_name
        self._file = CatalogFile(path)
        finalize(self, self._file.close)  # GalSim closes no input object
        self._file.check_stamps()
        options = {"file_name": str(path.absolute())}
        info, columns = self._file.info, self._file.columns
        super().__init__(str(path), info, len(self._file), _BLOCK, columns, options)

    def _read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        rows = slice(start, stop)
        return self._file.stamps(rows), np.array(self._file.stored[rows])

    def _codes(self) -> np.ndarray:
        return self._file.column("CATEGORY")


class GalgenModel(Galaxies):
    """Galaxies made while a scene is drawn: GalSim's input type ``galgen_model``.

    They are made in batches when they are asked for, whole batches at a time, and the last ones are
    kept (256 MiB of stamps): draw them in order, as `index` does by default, and each is made once.
    Galaxy i of a seed is the one that ``galgen mass`` makes, whatever the number of processes.

    Parameters
    ----------
    n : int
        How many galaxies there are to draw from.
    category : str
        A category, or a mixture such as ``"spiral:0.6,smooth:0.4"``.
    seed : int
        Of the galaxies; unlike ``random_seed`` it says nothing on the scene.
    properties : mapping, optional
        Values or [low, high] ranges of physical properties.
    weights, device, sampler, steps : str, str, str, int, optional
        How to make them, as for ``galgen mass``.

    Attributes
    ----------
    nobjects, bands, pixel_scale
        See `GalgenCatalog`.

    Raises
    ------
    WeightsError
        If the weights are missing or damaged.
    UnknownCategoryError, InvalidValueError
        If what is asked for is none of the weights' categories or out of range.
    """

    _req_params: ClassVar[dict[str, type]] = {"n": int}
    _opt_params: ClassVar[dict[str, type]] = {
        "category": str,
        "seed": int,
        "properties": dict,
        "weights": str,
        "device": str,
        "sampler": str,
        "steps": int,
    }

    def __init__(
        self,
        n: int,
        category: str = "galaxy",
        seed: int = 0,
        properties: Mapping[str, float | list[float]] | None = None,
        weights: str | Path | None = None,
        device: str | None = None,
        sampler: str | None = None,
        steps: int | None = None,
    ) -> None:
        ranges = {name: _range(name, ends) for name, ends in (properties or {}).items()}
        model = load_model(weights, device)
        given = {"sampler": sampler, "steps": steps}
        chosen = {name: value for name, value in given.items() if value is not None}
        sampling = model.sampling(**chosen)
        self._run = model.generate(category, n, seed=seed, properties=ranges, sampling=sampling)
        self._population = model.checkpoint.population
        info = self._run.info
        columns = run_columns(info)
        self._dtype = row_dtype(columns)
        same = {"n": n, "category": category, "seed": seed, "properties": properties}
        same |= {"weights": weights, "device": device, "sampler": sampler, "steps": steps}
        super().__init__(f"this run of {info.model}", info, n, info.micro_batch, columns, same)

    def _read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        (batch,) = self._run.batches([(start, stop)])
        rows = pack_rows(batch, self._dtype, self.info.tree)
        return batch.stamps_nbhw, rows.view(numbered_dtype(self._columns))

    def _codes(self) -> np.ndarray:
        index_n = torch.arange(self.nobjects)
        return self._run.request.ask(self._population, index_n).code_n.numpy()


def _range(name: str, ends: float | list[float]) -> tuple[float, float]:
    """Return a value as a range of no width, a list of two as a range."""
    pair = ends if isinstance(ends, list | tuple) else (ends, ends)
    try:
        low, high = map(float, pair)
    except (TypeError, ValueError):
        raise InvalidValueError(f"property {name}", ends, "a number, or [low, high]") from None
    return low, high
