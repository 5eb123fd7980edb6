"""From a request to batches of galaxies.

A run is cut into micro-batches aligned to the galaxy index, the last one padded: the same galaxies
always go through the network together, so their bits do not depend on how many are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from galgen.batch import GalaxyBatch
from galgen.categories.taxonomy import ROOT
from galgen.errors import InvalidValueError, NonFiniteOutputError
from galgen.generate.engine import Engine
from galgen.generate.flux import finish
from galgen.generate.observe import Observation, Observing
from galgen.generate.provenance import run_info
from galgen.generate.sampling import Sampling
from galgen.model.embedding import Condition
from galgen.request.like import Like
from galgen.request.mixture import Request, as_ranges, parse_mixture
from galgen.request.survey import Survey
from galgen.request.table import InputTable
from galgen.system.device import pick_device
from galgen.system.lanes import in_lanes
from galgen.weights import SHIPPED_WEIGHTS, checkpoint
from galgen.weights.checkpoint import Checkpoint


class Run:
    """Galaxies 0 to n - 1 of a request: iterate over it for batches, once or again.

    Attributes
    ----------
    info : RunInfo
        Provenance, what a catalogue's header records.
    request : Request or Like
    """

    def __init__(
        self,
        model: GalaxyModel,
        request: Request | Like,
        n: int,
        sampling: Sampling,
        observation: Observation | None = None,
    ) -> None:
        if not isinstance(n, int) or n < 1:
            raise InvalidValueError("n", n, "a whole number, 1 or more")
        request.check(model.checkpoint.population)
        # What cannot work is refused here, before an output exists.
        sampling.sigmas(model.checkpoint.denoiser)
        space = model.checkpoint.space
        space.to_flux(torch.zeros(1, 1, 1, len(space.bands)))
        self._model, self.request, self._n, self._sampling = model, request, n, sampling
        self._shape = (model.checkpoint.size, model.checkpoint.size, len(space.bands))
        self._observation = observation = observation or Observation.of(Observing(), space)
        self.info = run_info(model.checkpoint, model.device, request, n, sampling, observation)
        # Their names in the table, in the catalogue's order.
        self._carried = [column.name for column in request.columns]

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[GalaxyBatch]:
        return self.batches([(0, self._n)])

    def batches(self, ranges: Iterable[tuple[int, int]]) -> Iterator[GalaxyBatch]:
        """Make some of the galaxies: the same ones, bit for bit, as in the whole run.

        Parameters
        ----------
        ranges : iterable of (start, stop)
            Galaxies to make; taken as the batches are. Micro-batches that a range cuts are
            computed whole.

        Returns
        -------
        iterator of GalaxyBatch
            In the order of the ranges, the galaxies of one range and one micro-batch each. On a CPU
            as many are computed at a time as torch has threads.

        Raises
        ------
        InvalidValueError
            If a range is not within the run.
        NonFiniteOutputError
            If the network returns NaN or infinity.
        """
        size, draw = self._sampling.micro_batch, self._draw
        # A GPU makes one micro-batch at a time; a core does, too.
        lanes = torch.get_num_threads() if self._model.device.type == "cpu" else 1

        def cut() -> Iterator[tuple[int, int, int]]:
            for start, stop in ranges:
                if not 0 <= start <= stop <= self._n:
                    given = "range of galaxies", (start, stop)
                    raise InvalidValueError(*given, f"within 0..{self._n}")
                for first in range(start - start % size, stop, size):
                    yield first, max(start - first, 0), min(stop - first, size)

        def make(piece: tuple[int, int, int]) -> GalaxyBatch:
            return self._batch(draw, *piece)

        return in_lanes(make, cut(), lanes, first_alone=self._sampling.compile)

    @cached_property
    def _draw(self) -> Engine:
        """Made once, as compiling and recording take their time."""
        denoiser = self._model.checkpoint.denoiser
        return Engine(denoiser, self._shape, self.request.seed, self._sampling)

    def _batch(self, draw: Engine, first: int, low: int, high: int) -> GalaxyBatch:
        """Make galaxies first + low ... first + high - 1, in a full micro-batch whatever these."""
        model, request, device = self._model, self.request, self._model.device
        index_n = torch.arange(first, first + self._sampling.micro_batch)
        code_n, z_np = request.draw(model.checkpoint.population, index_n)
        condition = Condition(code_n.to(device), z_np.to(device))
        space = model.checkpoint.space
        keep = slice(low, high)
        kept_n, asked_nb = index_n[keep], request.flux(index_n[keep])
        finished = finish(
            draw(condition, index_n)[keep],
            space,
            self._observation,
            kept_n,
            request.seed,
            asked_nb,
        )
        if not finished.finite_n.all():
            bad = first + low + int(finished.finite_n.argmin())
            hook = self._observation.hook_name
            raise NonFiniteOutputError(
                f"The network{f' or {hook}' if hook else ''} returned NaN or infinity for galaxy "
                f"{bad} in {self._sampling.dtype}; galaxies before {first} are good. "
                "Try dtype float32, or less guidance."
            )
        carried = request.carried(kept_n)
        return GalaxyBatch(
            kept_n.numpy(),
            code_n[keep].numpy().astype(np.int16),
            finished.stamps_nbhw,
            finished.measured,
            space.bands,
            request.seed,
            finished.sums_nb,
            {
                column.name: carried[name]
                for column, name in zip(self.info.carried, self._carried, strict=True)
            },
        )


class GalaxyModel:
    """A trained model ready to make galaxies; see `load_model`.

    Attributes
    ----------
    checkpoint : Checkpoint
        Network, pixel scaling, population and provenance.
    device : torch.device
        Where it runs.
    """

    def __init__(self, loaded: Checkpoint, device: torch.device) -> None:
        self.checkpoint, self.device = loaded, device

    def generate(
        self,
        category: str,
        n: int,
        *,
        seed: int = 0,
        properties: Mapping[str, float | tuple[float, float]] | None = None,
        population: bool = True,
        sampling: Sampling | None = None,
        observing: Observing | None = None,
    ) -> Run:
        """Make galaxies of a category or a mixture.

        Parameters
        ----------
        category : str
            A category of the weights, or a mixture such as ``"spiral:0.6,smooth:0.4"``.
        n : int
            How many.
        seed : int
            Galaxy i of a seed is the same galaxy whatever `n`.
        properties : mapping, optional
            Values or (low, high) ranges of physical properties.
        population : bool
            Draw the other properties from the training population.
        sampling : Sampling, optional
            Solver, steps, guidance, micro-batch, precision; by default what suits the device.
        observing : Observing, optional
            Flux unit, pixel scale, PSF, noise; by default stamps are as the model makes them.

        Returns
        -------
        Run
            Iterate over it for `GalaxyBatch` es; give it to `galgen.write_catalog` for a file.

        Raises
        ------
        UnknownCategoryError, InvalidValueError
            If something asked for is none of the weights' categories or out of range.

        Examples
        --------
        >>> import galgen
        >>> model = galgen.load_model()
        >>> run = model.generate("spiral", 4, seed=1, properties={"axis_ratio": (0.8, 0.95)})
        >>> [batch.stamps_nbhw.shape for batch in run]
        [(4, 3, 64, 64)]
        """
        tree = self.checkpoint.tree
        mixture = parse_mixture(category, tree)
        request = Request(mixture, as_ranges(properties), seed, population, tree)
        space, chosen = self.checkpoint.space, sampling or Sampling.on(self.device)
        return Run(self, request, n, chosen, Observation.of(observing or Observing(), space))

    def like(
        self,
        table: str | Path | InputTable,
        *,
        category: str | None = None,
        n: int | None = None,
        seed: int = 0,
        properties: Mapping[str, float | tuple[float, float]] | None = None,
        population: bool = True,
        observing: Observing | None = None,
        sampling: Sampling | None = None,
        strict: bool = False,
        drop: Iterable[str] = (),
    ) -> Run:
        """Make one galaxy per row of a table, in its order.

        Category, half-light radius, axis ratio and colours go to the network; fluxes and magnitudes
        scale the stamps. A galaxy's columns are carried over into the catalogue.

        Parameters
        ----------
        table : path or InputTable
            FITS, CSV or ECSV; see `galgen.request.table.NAMES` and `galgen.request.survey` for its
            columns.
        category : str, optional
            Category or mixture of rows that have none.
        n : int, optional
            The first rows only.
        seed, properties, population, sampling
            As for `generate`; properties and population are for what a row does not have.
        observing : Observing, optional
            Flux unit, pixel scale, PSF, noise.
        strict : bool
            Refuse values outside the model's range, which otherwise are brought to its edge.
        drop : iterable of str
            Columns not to carry over, names or patterns.

        Raises
        ------
        DataError, InvalidValueError
            If the table cannot be used, or something asked for cannot be had.

        Examples
        --------
        >>> import galgen
        >>> run = galgen.load_model().like("survey.fits", category="spiral")  # doctest: +SKIP
        """
        table = table if isinstance(table, InputTable) else InputTable(table)
        observing, space = observing or Observing(), self.checkpoint.space
        tree = self.checkpoint.tree
        pixel_scale = observing.pixel_scale or space.pixel_scale
        survey = Survey(table, space.bands, pixel_scale, space.flux_unit, tree)
        observation = Observation.of(observing, space, survey.fluxes)
        mixture = parse_mixture(category or ROOT, tree)
        fallback = Request(mixture, as_ranges(properties), seed, population, tree)
        request = Like(
            survey,
            observation.scale,
            fallback,
            mixture_given=category is not None,
            n=n,
            strict=strict,
            drop=drop,
        )
        return Run(self, request, request.n, sampling or Sampling.on(self.device), observation)


def load_model(
    weights: str | Path | None = None, device: str | torch.device | None = None
) -> GalaxyModel:
    """Load weights for generation.

    Parameters
    ----------
    weights : path, optional
        Folder written by ``galgen train``; the weights shipped with galgen if left out.
    device : str, optional
        Torch device; a GPU if there is one.

    Raises
    ------
    WeightsError
        If the weights are missing, corrupted or of another format.
    InvalidValueError
        If the device does not exist here.
    """
    device = pick_device(device)
    return GalaxyModel(checkpoint.load(Path(weights or SHIPPED_WEIGHTS), device), device)
