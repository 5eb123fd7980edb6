"""Where the galaxies of a scene come from: a catalogue file, or the model itself.

Either hands out stamps for sources in order, a batch at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch

from galgen import noise
from galgen.catalog import CatalogFile
from galgen.categories.taxonomy import Taxonomy
from galgen.errors import CatalogError, DataError
from galgen.generate import GalaxyModel, Run
from galgen.generate.sampling import Sampling
from galgen.noise import Stream
from galgen.request.mixture import Request, parse_mixture
from galgen.runinfo import RunInfo
from galgen.scene.sources import Sources

_BATCH = 64  # stamps read from a file at a time
_PICK = Stream.SCENE.at(2)


class SourceStamps(NamedTuple):
    """Stamps of galaxies for consecutive sources.

    Attributes
    ----------
    stamps_nbhw : ndarray (N, B, H, W), float32
        Flux per pixel.
    galaxy_id_n : ndarray (N,) int64
        Their number in the run that made them.
    category_n : ndarray (N,)
        Category codes.
    """

    stamps_nbhw: np.ndarray
    galaxy_id_n: np.ndarray
    category_n: np.ndarray


class Galaxies(Protocol):
    """Anything that gives stamps to sources.

    Attributes
    ----------
    bands : tuple of str
        Bluest first.
    tree : Taxonomy
        Their categories.
    """

    bands: tuple[str, ...]
    tree: Taxonomy

    def give(self, sources: Sources) -> tuple[RunInfo, Iterator[SourceStamps]]:
        """Return provenance, and stamps of the sources' categories, in their order.

        Parameters
        ----------
        sources : Sources
            Of any number; ``category`` 0 leaves it open.

        Returns
        -------
        info : RunInfo
            Of the run that made them.
        stamps : iterator of SourceStamps
            Some sources at a time.
        """
        ...


class CatalogGalaxies:
    """Galaxies of a catalogue file, one at random for each source, any of them more than once.

    A source gets the same galaxy in every field, by `Sources.id` and `seed`.

    Parameters
    ----------
    path : str or Path
        Catalogue written by ``galgen mass``.
    seed : int
        Of the draw.

    Raises
    ------
    DataError, CatalogError
        If the file cannot be read.
    InvalidValueError
        If it was written without stamps.
    """

    def __init__(self, path: str | Path, seed: int = 0) -> None:
        self._path, self._seed = path, seed
        with CatalogFile(path) as catalog:
            catalog.check_stamps()
            self.bands, self.tree = catalog.bands, catalog.info.tree
            # What could not be measured shows no galaxy.
            self._usable = np.isfinite(catalog.column("HALF_LIGHT_RADIUS"))
            self._category = catalog.column("CATEGORY")

    def give(self, sources: Sources) -> tuple[RunInfo, Iterator[SourceStamps]]:
        """Give stamps of the catalogue to sources; see `Galaxies`.

        Raises
        ------
        DataError
            If there is no galaxy of a category.
        CatalogError
            While they are taken, if a pixel is not finite.
        """
        with CatalogFile(self._path) as catalog:
            info = catalog.info
        return info, self._read(self._pick(sources))

    def _pick(self, sources: Sources) -> np.ndarray:
        """Row of the catalogue (N,) for each source."""
        index = torch.from_numpy(sources.id)
        u_n = noise.uniform(self._seed, index, _PICK, 1)[:, 0].numpy()
        row_n = np.empty(len(sources), np.int64)
        for code in np.unique(sources.category):
            category = self.tree.get(int(code))
            below = self.tree.are_below(self._category, category)
            rows = np.flatnonzero(self._usable & below)
            if len(rows) == 0:
                raise DataError(f"{self._path}: has no galaxy of category {category.name} to draw.")
            some = sources.category == code
            row_n[some] = rows[np.minimum((u_n[some] * len(rows)).astype(int), len(rows) - 1)]
        return row_n

    def _read(self, row_n: np.ndarray) -> Iterator[SourceStamps]:
        """Read stamps of rows, some at a time."""
        with CatalogFile(self._path) as catalog:
            ids = catalog.column("GALAXY_ID")
            for start in range(0, len(row_n), _BATCH):
                rows = row_n[start : start + _BATCH]
                stamps_nbhw = catalog.stamps(rows)
                if not np.isfinite(stamps_nbhw).all():
                    raise CatalogError(f"{self._path}: a stamp has pixels that are not finite.")
                yield SourceStamps(stamps_nbhw, ids[rows], self._category[rows])


class GeneratedGalaxies:
    """Galaxies made for the scene: galaxy i of a run goes to source i, and none is used twice.

    Where all categories are left open these are the galaxies that `GalaxyModel.generate` makes of
    the same mixture and seed.

    Parameters
    ----------
    model : GalaxyModel
        What makes them.
    category : str
        Category, or mixture, of sources that have none of their own.
    seed : int
        Of the run.
    sampling : Sampling, optional
        By default what suits the device.
    """

    def __init__(
        self,
        model: GalaxyModel,
        category: str = "galaxy",
        seed: int = 0,
        sampling: Sampling | None = None,
    ) -> None:
        self.tree = model.checkpoint.tree
        self._model, self._mixture, self._seed = model, parse_mixture(category, self.tree), seed
        self._sampling = sampling or model.sampling()
        self.bands = model.checkpoint.space.bands

    def give(self, sources: Sources) -> tuple[RunInfo, Iterator[SourceStamps]]:
        """Make galaxies for sources; see `Galaxies`.

        Raises
        ------
        NonFiniteOutputError, ImplausibleOutputError
            While they are taken, if the network returns NaN or infinity, or pixels that no galaxy
            has.
        """
        request = _Listed(
            self._mixture, seed=self._seed, tree=self.tree, category_n=sources.category
        )
        checkpoint, device = self._model.checkpoint, self._model.device
        run = Run(checkpoint, device, request, max(1, len(sources)), self._sampling)
        ranges = [(0, len(sources))]
        stamps = (
            SourceStamps(batch.stamps_nbhw.astype(np.float32), batch.galaxy_id_n, batch.category_n)
            for batch in run.batches(ranges)
        )
        return run.info, stamps


@dataclass(frozen=True, kw_only=True)
class _Listed(Request):
    """A request in which some galaxies have a category of their own.

    Attributes
    ----------
    category_n : ndarray (N,)
        Category codes; 0 where the mixture decides.
    """

    category_n: np.ndarray

    def _codes(self, index_n: torch.Tensor) -> np.ndarray:
        drawn_n = super()._codes(index_n)
        if len(self.category_n) == 0:
            return drawn_n
        # A micro-batch may reach beyond the last galaxy.
        own_n = self.category_n[np.minimum(index_n.numpy(), len(self.category_n) - 1)]
        return np.where(own_n > 0, own_n, drawn_n)
