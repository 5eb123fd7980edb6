"""Galaxies to draw, of a catalogue file or of a model, as the input objects of GalSim.

Input objects live in one process; the others ask them through proxies, from a thread each, for
what their public methods return.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from threading import RLock
from typing import Any, Self
from weakref import finalize

import galsim
import numpy as np
import torch

from galgen.catalog import CatalogFile
from galgen.errors import InvalidValueError
from galgen.galsim.clean import CleanStamp, clean
from galgen.galsim.profile import profile
from galgen.generate import Run, load_model
from galgen.generate.sampling import Sampling
from galgen.request.mixture import Request, parse_mixture
from galgen.runinfo import RunInfo

_CACHE = 2**28  # bytes of stamps kept
_BLOCK = 16  # galaxies of a file cleaned at a time

Columns = Mapping[str, np.ndarray]


class _Galaxies:
    """What galaxies of any origin have in common; `_read` and `_codes` are what they have not."""

    def __init__(self, name: str, info: RunInfo, n: int, block: int, options: dict) -> None:
        self.bands, self.pixel_scale, self.nobjects = info.bands, info.pixel_scale, n
        self._tree = info.tree
        self._name, self._size, self._options = name, block, options
        self._lock = RLock()
        stamp_bytes = 4 * len(info.bands) * info.height * info.width
        self._block = lru_cache(max(2, _CACHE // (block * stamp_bytes)))(self._load)
        self._rows = lru_cache(None)(self._find)

    def _read(self, start: int, stop: int) -> tuple[np.ndarray, Columns]:
        """Stamps (N, B, H, W) and columns of the galaxies of one block."""
        raise NotImplementedError

    def _codes(self) -> np.ndarray:
        """Category of each galaxy."""
        raise NotImplementedError

    @classmethod
    def _rebuild(cls, options: dict[str, Any]) -> Self:
        return cls(**options)

    def __reduce__(self) -> tuple[object, ...]:
        return self._rebuild, (self._options,)

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self._options.items() if v is not None)
        return f"galgen.galsim.{type(self).__name__}({given})"

    def count(self, category: str | None = None) -> int:
        """How many galaxies there are of a category and of those below it.

        Raises
        ------
        InvalidValueError
            If there are none.
        """
        return self.nobjects if category is None else len(self._rows(category))

    def row(self, index: int, category: str | None = None) -> int:
        """Which galaxy number `index` of a category is among all of them.

        Raises
        ------
        InvalidValueError
            If there are fewer.
        """
        n = self.count(category)
        if not 0 <= index < n:
            hint = f"{self._name} has {n}" + (f" of category {category}." if category else ".")
            raise InvalidValueError("index", index, f"0..{n - 1}", hint)
        return index if category is None else int(self._rows(category)[index])

    def value(self, key: str, row: int) -> float | int | str:
        """Column `key` of the catalogue for one galaxy."""
        with self._lock:
            _, columns = self._block(row // self._size)
        if key not in columns:
            raise InvalidValueError("key", key, ", ".join(columns))
        value = columns[key][row % self._size].item()
        return value.decode() if isinstance(value, bytes) else value

    def stamp(self, row: int) -> CleanStamp | None:
        """One galaxy without sky, neighbours and edges; None if it cannot be seen in its stamp."""
        with self._lock:
            cleaned, _ = self._block(row // self._size)
        return cleaned[row % self._size]

    def _load(self, block: int) -> tuple[list[CleanStamp | None], Columns]:
        start = block * self._size
        stamps_nbhw, columns = self._read(start, min(start + self._size, self.nobjects))
        return clean(stamps_nbhw), columns

    def _find(self, category: str) -> np.ndarray:
        with self._lock:
            code_n = self._code_n
        row_n = np.flatnonzero(self._tree.are_below(code_n, category))
        if not len(row_n):
            there = ", ".join(self._tree.get(int(code)).name for code in np.unique(code_n))
            raise InvalidValueError("category", category, f"what {self._name} has: {there}")
        return row_n

    @cached_property
    def _code_n(self) -> np.ndarray:
        return self._codes()


class GalgenCatalog(_Galaxies):
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

    _req_params = {"file_name": str}  # noqa: RUF012  what GalSim looks for
    _opt_params = {"dir": str}  # noqa: RUF012

    def __init__(self, file_name: str | Path, dir: str | Path = "") -> None:
        path = Path(dir) / file_name
        self._file = CatalogFile(path)
        finalize(self, self._file.close)  # GalSim closes no input object
        self._file.check_stamps()
        options = {"file_name": str(path.absolute())}
        super().__init__(str(path), self._file.info, len(self._file), _BLOCK, options)

    def _read(self, start: int, stop: int) -> tuple[np.ndarray, Columns]:
        rows = np.array(self._file.rows[start:stop])
        return self._file.stamps(slice(start, stop)), {c: rows[c] for c in rows.dtype.names}

    def _codes(self) -> np.ndarray:
        return self._file.column("CATEGORY")


class GalgenModel(_Galaxies):
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

    _req_params = {"n": int}  # noqa: RUF012
    _opt_params = {  # noqa: RUF012
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
        options = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        ranges = {name: _range(name, ends) for name, ends in (properties or {}).items()}
        model = load_model(weights, device)
        tree = model.checkpoint.tree
        self._request = Request(parse_mixture(category, tree), ranges, seed, tree=tree)
        given = {"sampler": sampler, "steps": steps}
        chosen = {name: value for name, value in given.items() if value is not None}
        sampling = Sampling.on(model.device, **chosen)
        self._run = Run(model.checkpoint, model.device, self._request, n, sampling)
        self._population = model.checkpoint.population
        info = self._run.info
        super().__init__(f"this run of {info.model}", info, n, info.micro_batch, options)

    def _read(self, start: int, stop: int) -> tuple[np.ndarray, Columns]:
        (batch,) = self._run.batches([(start, stop)])
        names = [self._tree.get(int(code)).name for code in batch.category_n]
        columns = {
            "GALAXY_ID": batch.galaxy_id_n,
            "SEED": np.full(len(batch), batch.seed),
            "CATEGORY": batch.category_n,
            "CATEGORY_NAME": np.array(names),
        }
        return batch.stamps_nbhw, columns | dict(batch.measured)

    def _codes(self) -> np.ndarray:
        asked = self._request.ask(self._population, torch.arange(self.nobjects))
        return asked.code_n.numpy()


def make_galaxy(
    galaxies: GalgenCatalog | GalgenModel,
    index: int,
    category: str | None = None,
    **options: Any,
) -> galsim.GSObject:
    """A galaxy as a light profile, centred on its centroid: GalSim's object type ``GalgenGalaxy``.

    The PSF and the pixels of the model's training images are in the profile and are not taken out:
    half-light radii are those of what was seen through them.

    Parameters
    ----------
    galaxies : GalgenCatalog or GalgenModel
    index : int
        Which galaxy; in a configuration, by default the next.
    category : str, optional
        Count only galaxies of this category and those below it.
    band : str, optional
        Band to draw, by default the middle one.
    ref_band : str, optional
        Band in which flux, magnitude and radius are given, by default the one drawn. With the same
        one for every band, images of a scene in several bands show the galaxies' colours.
    flux : float, optional
        Flux, by default that of the stamp.
    mag, zeropoint : float, optional
        Magnitude instead of flux, and the magnitude of flux 1 in the image drawn.
    half_light_radius : float, optional
        Circularised radius (arcsec) of the ellipse that holds half of the light, as for a sheared
        `galsim.Sersic`: the galaxy is dilated to it.
    pixel_scale : float, optional
        Arcsec per pixel of the stamp instead, by default the catalogue's own, where it has one.
    gsparams : galsim.GSParams, optional

    Raises
    ------
    InvalidValueError
        If there is no such galaxy, it cannot be seen in its stamp, or a value is not allowed.
    """
    stamp = galaxies.stamp(galaxies.row(index, category))
    if stamp is None:
        raise InvalidValueError("index", index, "a galaxy that can be seen in its stamp")
    return profile(stamp, galaxies.bands, galaxies.pixel_scale, **options)


def _range(name: str, ends: float | list[float]) -> tuple[float, float]:
    pair = ends if isinstance(ends, list | tuple) else (ends, ends)
    try:
        low, high = map(float, pair)
    except (TypeError, ValueError):
        raise InvalidValueError(f"property {name}", ends, "a number, or [low, high]") from None
    return low, high
