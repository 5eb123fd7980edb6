"""`Run`: from a request to batches of galaxies.

A run is cut into micro-batches aligned to the galaxy index, the last one padded: the same galaxies
always go through the network together, so their bits do not depend on how many are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from typing import Self

import numpy as np
import torch

from galgen.batch import GalaxyBatch
from galgen.errors import ImplausibleOutputError, InvalidValueError, NonFiniteOutputError
from galgen.generate.engine import Draw, Engine
from galgen.generate.flux import Finished, finish
from galgen.generate.observe import Observation, Observing
from galgen.generate.plausible import BEYOND, WHITES
from galgen.generate.provenance import run_info
from galgen.generate.sampling import Sampling
from galgen.model.embedding import Condition
from galgen.request.asked import Asker
from galgen.runinfo import RunInfo
from galgen.system.lanes import in_lanes, lanes_on
from galgen.weights.checkpoint import Checkpoint

Clock = Callable[[str], AbstractContextManager[object]]
_FREE_BATCH = 256  # a micro-batch that any machine has the memory for, however few the galaxies


class Run:
    """Galaxies 0 to n - 1 of a request: iterate over it for batches, once or again.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model.
    device : torch.device
        Where the model is.
    request : Asker
        What is asked of each galaxy.
    n : int
        How many galaxies there are.
    sampling : Sampling
        How they are sampled.
    observation : Observation, optional
        Flux unit, PSF, hook and noise; by default stamps are as the model makes them.

    Attributes
    ----------
    request : Asker
        What is asked of each galaxy.

    Raises
    ------
    InvalidValueError, DataError
        If `n` is below 1, something asked for cannot be had from the model, or GALGEN_LANES is no
        number of micro-batches.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device,
        request: Asker,
        n: int,
        sampling: Sampling,
        observation: Observation | None = None,
    ) -> None:
        if not isinstance(n, int) or not 1 <= n < 2**63:
            raise InvalidValueError("n", n, "a whole number, 1 to 2^63 - 1")
        # Micro-batches are computed whole, whatever is asked of them.
        most = max(n, Sampling.on(device).micro_batch, _FREE_BATCH)
        if sampling.micro_batch > most:
            allowed = f"1 to {most:,}, for a run of {n:,}"
            raise InvalidValueError("micro_batch", sampling.micro_batch, allowed)
        request.check(checkpoint.population)
        # What cannot work is refused here, before an output exists.
        sampling.sigmas(checkpoint.denoiser)
        lanes_on(device)
        space = checkpoint.space
        space.to_flux(torch.zeros(1, 1, 1, len(space.bands)))
        self._checkpoint, self._device = checkpoint, device
        self.request, self._n, self._sampling = request, n, sampling
        self._shape = (checkpoint.size, checkpoint.size, len(space.bands))
        self._observation = observation = observation or Observation.of(Observing(), space)
        self._clock: Clock = nullcontext
        self._one_lane = False
        self._engine: Engine | None = None
        self._info = run_info(checkpoint, device, request, n, sampling, observation)

    @property
    def info(self) -> RunInfo:
        """Provenance: what a catalogue's header records."""
        return self._info

    def recorded_as(self, info: RunInfo) -> Self:
        """Return a run that makes the same galaxies, and is as ready for it as this one.

        Parameters
        ----------
        info : RunInfo
            That of this run, with how its galaxies are stored.
        """
        run = copy(self)
        run._info = info
        return run

    def timed(self, clock: Clock) -> Self:
        """Return the same run, parts of whose work are done within contexts of a clock.

        On a GPU it makes one micro-batch at a time: of two, either would wait for both.

        Parameters
        ----------
        clock : callable
            Takes 'drawing', 'network' or 'measuring', and returns a context manager. On a CPU it is
            called from several threads.
        """
        run = copy(self)
        run._clock, run._one_lane = clock, self._device.type != "cpu"
        return run

    @property
    def device(self) -> torch.device:
        """Where galaxies are made."""
        return self._device

    @property
    def lanes(self) -> int:
        """Micro-batches made at a time: two on a GPU, and one on each core that torch uses."""
        return 1 if self._one_lane else lanes_on(self._device)

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
            In the order of the ranges, the galaxies of one range and one micro-batch each, `lanes`
            of which are made at a time. Their arrays are their own, for as long as they are kept.

        Raises
        ------
        InvalidValueError
            If a range is not within the run.
        NonFiniteOutputError, ImplausibleOutputError
            If the network returns NaN or infinity, or pixels that no galaxy has.
        """
        size, engine = self._sampling.micro_batch, self._ready()

        def cut() -> Iterator[tuple[int, int, int]]:
            for start, stop in ranges:
                if not 0 <= start <= stop <= self._n:
                    given = "range of galaxies", (start, stop)
                    raise InvalidValueError(*given, f"within 0..{self._n}")
                for first in range(start - start % size, stop, size):
                    yield first, max(start - first, 0), min(stop - first, size)

        def make(piece: tuple[int, int, int]) -> GalaxyBatch:
            with engine.lane() as draw:
                return self._batch(draw, *piece)

        # The first one compiles kernels, and records graphs; constants that it leaves on a GPU are
        # there, whatever the stream, before another asks for them.
        alone = self._sampling.compile or self._device.type == "cuda"
        return in_lanes(make, cut(), self.lanes, first_alone=alone)

    def _ready(self) -> Engine:
        """Make the engine once, as compiling and recording take their time.

        Not a cached property, whose lock, before Python 3.12, is that of all runs: a process that
        is forked while a thread makes one would wait for it for ever.
        """
        if self._engine is None:
            how = self._shape, self.request.seed, self._sampling, self.lanes
            self._engine = Engine(self._checkpoint.denoiser, *how)
        return self._engine

    def _batch(self, draw: Draw, first: int, low: int, high: int) -> GalaxyBatch:
        """Make galaxies first + low ... first + high - 1, in a full micro-batch whatever these."""
        space, device, seed = self._checkpoint.space, self._device, self.request.seed
        index_n = torch.arange(first, first + self._sampling.micro_batch)
        with self._clock("drawing"):
            asked = self.request.ask(self._checkpoint.population, index_n)
            condition = Condition(asked.code_n.to(device), asked.z_np.to(device))
        keep = slice(low, high)
        kept_n = index_n[keep]
        flux_nb = None if asked.flux_nb is None else asked.flux_nb[keep]
        with self._clock("network"):
            x_nhwc = draw(condition, index_n)[keep]
        with self._clock("measuring"):
            finished = finish(x_nhwc, space, self._observation, kept_n, seed, flux_nb)
        self._refuse_what_is_no_galaxy(finished, first, first + low)
        # In the order of the catalogue, but by their names in the table.
        carried = zip(self.info.carried, asked.carried.values(), strict=True)
        return GalaxyBatch(
            kept_n.numpy(),
            asked.code_n[keep].numpy().astype(np.int16),
            finished.stamps_nbhw,
            finished.measured,
            space.bands,
            seed,
            finished.sums_nb,
            {column.name: values_n[keep] for column, values_n in carried},
        )

    def _refuse_what_is_no_galaxy(self, finished: Finished, good: int, start: int) -> None:
        """Raise an error if a galaxy cannot be used; they begin at `start`, `good` are made."""
        how, hook = self._sampling, self._observation.hook_name
        made = (
            f"in {how.dtype}, by {how.sampler} in {how.steps} steps with guidance "
            f"{how.guidance:g}; galaxies before {good} are good."
        )
        if not finished.finite_n.all():
            raise NonFiniteOutputError(
                f"The network{f' or {hook}' if hook else ''} returned NaN or infinity for galaxy "
                f"{start + int(finished.finite_n.argmin())} {made} "
                "Try dtype float32, or less guidance."
            )
        if not finished.plausible_n.all():
            raise ImplausibleOutputError(
                f"The network returned pixels that no galaxy has, more than {BEYOND} times the "
                f"brightest that it learned from, {WHITES} times white or as far below the sky, "
                "for galaxy "
                f"{start + int(finished.plausible_n.argmin())} {made} "
                "Try more steps, the sampler ddpm, or less guidance."
            )
