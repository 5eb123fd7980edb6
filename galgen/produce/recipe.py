"""A run as it was asked for, complete enough to make it again on any machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from galgen.catalog.format.layout import galaxies_per_file
from galgen.catalog.format.stamps import check_name
from galgen.categories.taxonomy import ROOT
from galgen.errors import InvalidValueError, LedgerError
from galgen.generate import Run, load_model
from galgen.generate.observe import Observing
from galgen.generate.sampling import Sampling
from galgen.produce.stamp_range import stored_as
from galgen.request.mixture import Request, parse_mixture, parse_properties
from galgen.request.table import InputTable, parse_map

_TUPLES = ("properties", "columns", "drop")


@dataclass(frozen=True)
class Recipe:
    """What ``galgen mass`` was asked for.

    Attributes
    ----------
    category : str or None
        A category or a mixture, see `galgen.request.mixture.parse_mixture`; with a table, of rows
        that have none.
    n : int or None
        How many galaxies; None for all rows of a table.
    seed : int
    properties : tuple of str
        Such as ``axis_ratio=0.8``, see `galgen.request.mixture.parse_properties`.
    population : bool
        Draw the other properties from the training population.
    weights : str or None
        Folder; None for those shipped.
    device : str or None
        Torch device; None for a GPU if there is one.
    sampling : mapping
        What is chosen of `galgen.generate.sampling.Sampling`; the rest is what suits the device.
    observing : mapping
        What is chosen of `galgen.generate.observe.Observing`.
    like : str or None
        Table whose rows are to be made.
    columns, drop : tuple of str
        Its names of columns, as ``ours=theirs``, and columns not to carry over.
    strict : bool
        Refuse values that the model does not know.
    date : str or None
        See `galgen.runinfo.RunInfo`.
    max_file_bytes : int or None
        Size that no file of the catalogue exceeds.
    stamps : str
        How stamps are stored, see `galgen.produce.stamp_range.stored_as`.
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
    drop: tuple[str, ...] = ()
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
            for name in ("category", "n"):
                if getattr(self, name) is None:
                    allowed = "one, unless a table gives it (--like)"
                    raise InvalidValueError(f"--{name}", None, allowed)
            only_with_table = {"map": self.columns, "drop": self.drop, "strict": self.strict}
            for name, value in only_with_table.items():
                if value:
                    raise InvalidValueError(f"--{name}", value, "with a table only (--like)")
        else:
            self._table()
        check_name(self.stamps)
        Observing(**self.observing)
        # Other weights may have categories of their own, which are theirs to know.
        mixture = ROOT if self.weights else self.category or ROOT
        properties = parse_properties(self.properties)
        Request(parse_mixture(mixture), properties, self.seed, self.population)

    def run(self) -> Run:
        """The run itself, with its weights loaded.

        Raises
        ------
        WeightsError, InvalidValueError, DataError
            If there can be no such run.
        """
        self.check()
        model = load_model(self.weights, self.device)
        asked = {
            "seed": self.seed,
            "properties": parse_properties(self.properties),
            "population": self.population,
            "sampling": Sampling.on(model.device, **self.sampling),
            "observing": Observing(**self.observing),
        }
        if self.like is None:
            run = model.generate(self.category, self.n, **asked)
        else:
            asked |= {"category": self.category, "n": self.n}
            run = model.like(self._table(), strict=self.strict, drop=self.drop, **asked)
        run.info = replace(stored_as(run, self.stamps), date=self.date)
        if self.max_file_bytes is not None:
            run.info = replace(run.info, per_file=galaxies_per_file(run.info, self.max_file_bytes))
        return run

    def _table(self) -> InputTable:
        return InputTable(self.like, parse_map(self.columns))

    def to_json(self) -> dict[str, Any]:
        """As JSON has it; files by their whole path."""
        paths = {"weights": self.weights, "like": self.like}
        whole = {name: path and str(Path(path).absolute()) for name, path in paths.items()}
        return asdict(self) | whole | {name: list(getattr(self, name)) for name in _TUPLES}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any] | None) -> Self:
        """Of what `to_json` returned.

        Raises
        ------
        LedgerError
            If it is of another version of galgen, or None.
        """
        try:
            return cls(**{**fields, **{name: tuple(fields[name]) for name in _TUPLES}})
        except (TypeError, KeyError) as error:
            raise LedgerError(
                f"how to make this run again is not known to this galgen ({error}). Give the same "
                "command again with --resume, or keep what there is: galgen finish --partial"
            ) from None
