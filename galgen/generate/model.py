"""`GalaxyModel`: a trained model ready to make galaxies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from galgen.categories.taxonomy import ROOT
from galgen.generate.observe import Observation, Observing
from galgen.generate.run import Run
from galgen.generate.sampling import FINISHED, Sampling
from galgen.generate.score import Prior
from galgen.request.like import Like
from galgen.request.mixture import Request, as_ranges, parse_mixture
from galgen.request.survey import Survey
from galgen.request.table import InputTable
from galgen.system.device import pick_device
from galgen.weights import SHIPPED_WEIGHTS, checkpoint


class GalaxyModel(Prior):
    """A trained model ready to make galaxies, and to be a prior; see `load_model`.

    Attributes
    ----------
    checkpoint : Checkpoint
        Network, pixel scaling, population and provenance.
    device : torch.device
        Where it runs.
    """

    def sampling(self, **chosen: Any) -> Sampling:
        """Take what suits the weights and the device, with what is `chosen` in its place.

        Weights with a finisher are sampled in a few steps, by a solver for few steps; where another
        solver is chosen, its steps are those of `Sampling` unless they are chosen, too.

        Parameters
        ----------
        **chosen
            Attributes of `Sampling`.

        Raises
        ------
        InvalidValueError
            If a value is out of range.
        """
        few = self.checkpoint.denoiser.finisher is not None and "sampler" not in chosen
        return Sampling.on(self.device, **(FINISHED if few else {}) | chosen)

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
            A category of the weights, or a mixture such as ``"spiral:0.6,smooth:0.4"``; weights
            that do not add up to 1 are ratios.
        n : int
            How many.
        seed : int
            Galaxy i of a seed is the same galaxy whatever `n`.
        properties : mapping, optional
            Values or (low, high) ranges of physical properties.
        population : bool
            Draw the other properties from the training population.
        sampling : Sampling, optional
            Solver, steps, guidance, micro-batch, precision; by default as `sampling` returns it.
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
        space, chosen = self.checkpoint.space, sampling or self.sampling()
        return Run(
            self.checkpoint,
            self.device,
            request,
            n,
            chosen,
            Observation.of(observing or Observing(), space),
        )

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
        keep: Iterable[str] = (),
        drop: Iterable[str] = (),
        carry_only: bool = False,
    ) -> Run:
        """Make one galaxy per row of a table, in its order.

        Category, half-light radius, axis ratio, colours and, where the weights know it, redshift go
        to the network; fluxes and magnitudes scale the stamps. A galaxy's columns are carried over
        into the catalogue.

        Parameters
        ----------
        table : path or InputTable
            FITS, VOTable, Parquet, ECSV, CSV; see `galgen.request.names.NAMES` and
            `galgen.request.survey` for its columns.
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
        keep, drop : iterable of str
            Columns to carry over, by default all, and columns not to: names or patterns.
        carry_only : bool
            Take nothing from the table but the columns that are carried over.

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
        survey = Survey(
            table,
            space.bands,
            pixel_scale,
            space.flux_unit,
            tree,
            carry_only=carry_only,
            with_redshift="redshift" in self.checkpoint.population.names,
        )
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
            keep=keep,
            drop=drop,
            carry_only=carry_only,
        )
        sampling = sampling or self.sampling()
        return Run(self.checkpoint, self.device, request, request.n, sampling, observation)


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
