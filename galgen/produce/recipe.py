"""A run as it was asked for, complete enough to make it again on any machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from galgen.catalog.format.stamps import check_name
from galgen.categories import DEFAULT
from galgen.categories.taxonomy import ROOT
from galgen.errors import InvalidValueError, LedgerError
from galgen.generate import GalaxyModel, Run, load_model
from galgen.generate.observe import Observing
from galgen.generate.sampling import Sampling
from galgen.produce.stored import stored
from galgen.request.mixture import Request, parse_mixture, parse_properties
from galgen.request.names import parse_map
from galgen.request.table import InputTable
from galgen.settings import JsonConfig, check_fields


@dataclass(frozen=True)
class Recipe(JsonConfig):
    """What ``galgen mass`` was asked for.

    Attributes
    ----------
    category : str or None
        A category or a mixture, see `galgen.request.mixture.parse_mixture`; with a table, of rows
        that have none.
    n : int or None
        How many galaxies; None for all rows of a table.
    seed : int
        Seed of the run.
    properties : tuple of str
        Such as ``axis_ratio=0.8``, see `galgen.request.mixture.parse_properties`.
    population : bool
        Draw the other properties from the training population.
    weights : str or None
        Folder; None for those shipped.
    device : str or None
        Torch device; None for a GPU if there is one.
    sampling : mapping
        What is chosen of `galgen.generate.sampling.Sampling`; the rest is what suits the model.
    observing : mapping
        What is chosen of `galgen.generate.observe.Observing`.
    like : str or None
        Table whose rows are to be made.
    columns, keep, drop : tuple of str
        Its names of columns, as ``ours=theirs``, those to carry over, by default all, and those
        not to.
    table : str or None
        Name or number of the table, of a file with several.
    carry_only : bool
        Take nothing from the table but the columns that are carried over.
    strict : bool
        Refuse values that the model does not know.
    date : str or None
        When it was asked for, see `galgen.runinfo.RunInfo`.
    max_file_bytes : int or None
        Size that no file of the catalogue exceeds.
    stamps : str
        How stamps are stored, see `galgen.produce.stored.stored`.
    """

    category: str | None
    n: int | None
    seed: int = 0
    properties: tuple[str, ...] = ()
    population: bool = True
    weights: str | None = None
    device: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    observing: Mapping[str, Any] = field(default_factory=dict)
    like: str | None = None
    columns: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    table: str | None = None
    carry_only: bool = False
    strict: bool = False
    date: str | None = None
    max_file_bytes: int | None = None
    stamps: str = "float32"

    def check(self) -> None:
        """Refuse what can be refused without weights.

        Raises
        ------
        UnknownCategoryError, InvalidValueError, DataError
            If there can be no such run.
        """
        if self.like is None:
            self._category_and_n()
            for name in ("columns", "keep", "drop", "table", "carry_only", "strict"):
                value = getattr(self, name)
                if value:
                    raise InvalidValueError(f"`{name}`", value, "with a table only (`like`)")
        else:
            self._table(self.like)
        check_name(self.stamps)
        Observing(**self.observing)
        # Other weights may have categories of their own, which are theirs to know.
        mixture = ROOT if self.weights else self.category or ROOT
        properties = parse_properties(self.properties)
        Request(parse_mixture(mixture), properties, self.seed, self.population)

    @property
    def inputs(self) -> list[Path]:
        """Files that the run is made after, which its catalogue must not replace."""
        return [] if self.like is None else [Path(self.like)]

    def run(self) -> Run:
        """Load the weights, and make the run with all that a catalogue's header records.

        Raises
        ------
        WeightsError, InvalidValueError, DataError
            If there can be no such run.
        """
        self.check()
        model = load_model(self.weights, self.device)
        run = self._generated(model) if self.like is None else self._after(model, self.like)
        return stored(run, self.stamps, self.date, self.max_file_bytes)

    def _generated(self, model: GalaxyModel) -> Run:
        """Make a run of a category or a mixture."""
        category, n = self._category_and_n()
        return model.generate(
            category,
            n,
            seed=self.seed,
            properties=parse_properties(self.properties),
            population=self.population,
            sampling=model.sampling(**self.sampling),
            observing=Observing(**self.observing),
        )

    def _after(self, model: GalaxyModel, table: str) -> Run:
        """Make a run of the rows of a table."""
        return model.like(
            self._table(table),
            category=self.category,
            n=self.n,
            seed=self.seed,
            properties=parse_properties(self.properties),
            population=self.population,
            sampling=model.sampling(**self.sampling),
            observing=Observing(**self.observing),
            strict=self.strict,
            keep=self.keep,
            drop=self.drop,
            carry_only=self.carry_only,
        )

    def _category_and_n(self) -> tuple[str, int]:
        """Return the two without which there is no run, unless a table gives them."""
        unless = "unless a table gives it (`like`)"
        if self.category is None:
            own = "a category of the weights (galgen info lists them)"
            one = own if self.weights else f"one of {', '.join(DEFAULT.names)}"
            allowed = f"{one}, or a mixture such as spiral:0.6,smooth:0.4; {unless}"
            raise InvalidValueError("`category`", None, allowed)
        if self.n is None:
            raise InvalidValueError("`n`", None, f"how many galaxies to make, {unless}")
        return self.category, self.n

    def _table(self, path: str) -> InputTable:
        """Open the table, with what the user calls its columns."""
        return InputTable(path, parse_map(self.columns), self.table)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON has them, files by their whole path."""
        paths = {"weights": self.weights, "like": self.like}
        whole = {name: path and str(Path(path).absolute()) for name, path in paths.items()}
        return super().to_json() | whole

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Self:
        """Make one of what `to_json` returned.

        Raises
        ------
        LedgerError
            If it is of another version of galgen, or None.
        """
        try:
            recipe = super().from_json(data or {})
            check_fields(Sampling, recipe.sampling)
            check_fields(Observing, recipe.observing)
            return recipe
        except (InvalidValueError, TypeError) as error:
            raise LedgerError(
                f"how to make this run again is not known to this galgen ({error}). Give the same "
                "command again with `resume=True`, or keep what there is: galgen finish --partial"
            ) from None
