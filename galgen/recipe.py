"""A run as it was asked for, complete enough to make it again on any machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from galgen.catalog.layout import galaxies_per_file
from galgen.errors import LedgerError
from galgen.generate import Run, load_model
from galgen.request import Request, parse_mixture, parse_properties
from galgen.sampling import Sampling


@dataclass(frozen=True)
class Recipe:
    """What ``galgen mass`` was asked for.

    Attributes
    ----------
    category : str
        A category or a mixture, see `galgen.request.parse_mixture`.
    n : int
        How many galaxies.
    seed : int
    properties : tuple of str
        Such as ``axis_ratio=0.8``, see `galgen.request.parse_properties`.
    population : bool
        Draw the other properties from the training population.
    weights : str or None
        Folder; None for those shipped.
    device : str or None
        Torch device; None for a GPU if there is one.
    sampling : mapping
        What is chosen of `galgen.sampling.Sampling`; the rest is what suits the device.
    date : str or None
        See `galgen.batch.RunInfo`.
    max_file_bytes : int or None
        Size that no file of the catalogue exceeds.
    """

    category: str
    n: int
    seed: int = 0
    properties: tuple[str, ...] = ()
    population: bool = True
    weights: str | None = None
    device: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    date: str | None = None
    max_file_bytes: int | None = None

    def request(self) -> Request:
        """The galaxies to make.

        Raises
        ------
        UnknownCategoryError, InvalidValueError
            If they cannot be asked for.
        """
        properties = parse_properties(self.properties)
        return Request(parse_mixture(self.category), properties, self.seed, self.population)

    def run(self) -> Run:
        """The run itself, with its weights loaded.

        Raises
        ------
        WeightsError, InvalidValueError
            If there can be no such run.
        """
        request = self.request()  # what can be refused without the weights, is
        model = load_model(self.weights, self.device)
        run = Run(model, request, self.n, Sampling.on(model.device, **self.sampling))
        run.info = replace(run.info, date=self.date)
        if self.max_file_bytes is not None:
            run.info = replace(run.info, per_file=galaxies_per_file(run.info, self.max_file_bytes))
        return run

    def to_json(self) -> dict[str, Any]:
        """As JSON has it; weights by their whole path."""
        weights = None if self.weights is None else str(Path(self.weights).absolute())
        return asdict(self) | {"weights": weights, "properties": list(self.properties)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any] | None) -> Self:
        """Of what `to_json` returned.

        Raises
        ------
        LedgerError
            If it is of another version of galgen, or None.
        """
        try:
            return cls(**{**fields, "properties": tuple(fields["properties"])})
        except (TypeError, KeyError) as error:
            raise LedgerError(
                f"how to make this run again is not known to this galgen ({error}). Give the same "
                "command again with --resume, or keep what there is: galgen finish --partial"
            ) from None
