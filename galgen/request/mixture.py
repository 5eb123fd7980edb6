"""What a user asks for: a mixture of categories, properties, a seed; and its draw per galaxy.

Galaxy i of seed s gets the same category and the same properties whatever the batch, the number of
galaxies or the machine: every number comes from the counter-based generator keyed by (s, i).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from galgen import noise
from galgen.categories import DEFAULT, Taxonomy, nearest
from galgen.errors import InvalidValueError
from galgen.noise import Stream
from galgen.request.asked import Asked
from galgen.request.population import MAX_Z, Population
from galgen.request.unmeasured import unmeasured

MAX_SEED = 2**63 - 1  # seeds are signed 64-bit integers in FITS tables


@dataclass(frozen=True)
class Request:
    """Galaxies to make.

    Attributes
    ----------
    mixture : tuple of (int, float)
        Category codes and their positive weights.
    properties : mapping of str to (float, float)
        Range of each fixed property in its own unit; a single value is a range of no width.
    seed : int
        Seed of the run, 0 to 2^63 - 1.
    population : bool
        Draw the properties that are not fixed from the training population (else leave them to the
        network).
    tree : Taxonomy
        Whose codes the mixture's are: that of the model.
    """

    mixture: tuple[tuple[int, float], ...]
    properties: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    seed: int = 0
    population: bool = True
    tree: Taxonomy = DEFAULT

    def __post_init__(self) -> None:
        if not isinstance(self.seed, int) or not 0 <= self.seed <= MAX_SEED:
            raise InvalidValueError("seed", self.seed, f"a whole number from 0 to {MAX_SEED}")
        if not self.mixture:
            raise InvalidValueError("category", "", "at least one category")
        for code, weight in self.mixture:
            name = self.tree.get(code).name
            if not (math.isfinite(weight) and weight > 0):
                raise InvalidValueError(f"weight of {name}", weight, "a number above 0")
        for name, (low, high) in self.properties.items():
            if not low <= high:
                raise InvalidValueError(f"property {name}", f"{low}:{high}", "low:high, in order")

    def ask(self, population: Population, index_n: Tensor) -> Asked:
        """Draw categories and properties of galaxies; see `galgen.request.asked.Asker.ask`.

        Raises
        ------
        InvalidValueError
            If a property is unknown to the model or out of its range.
        """
        code_n, given = self.draw_given(population, index_n)
        z_np = self.complete(population, index_n, code_n, given)
        return Asked(torch.from_numpy(code_n), z_np, carried=unmeasured(population, z_np))

    def draw_given(
        self, population: Population, index_n: Tensor
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Draw category codes, and standardised values of the properties that are fixed: all (n,).

        Raises
        ------
        InvalidValueError
            See `ask`.
        """
        return self._codes(index_n), self._given(population, index_n)

    def complete(
        self,
        population: Population,
        index_n: Tensor,
        code_n: np.ndarray,
        given: Mapping[str, np.ndarray],
    ) -> Tensor:
        """Draw what is not given from the population, if it is to be.

        Parameters
        ----------
        population, index_n
            See `ask`.
        code_n : ndarray
            Category codes.
        given : mapping of str to ndarray (n,)
            Standardised properties; NaN where a galaxy's is not given.

        Returns
        -------
        Tensor (n, p)
            Standardised properties, float32, NaN where left to the network. Properties that have
            one value in all of the population (`Population.constant_p`) always have it.
        """
        n, p = len(index_n), len(population.names)
        z_np = np.full((n, p), np.nan, np.float32)
        for name, z_n in given.items():
            z_np[:, population.names.index(name)] = z_n
        if not self.population:
            return torch.from_numpy(population.with_constants(z_np))
        pick_n = noise.uniform(self.seed, index_n, Stream.POPULATION, 1)[:, 0].numpy()
        jitter_np = noise.normal(self.seed, index_n, (p,), Stream.POPULATION.at(1)).numpy()
        # Galaxies of one category that lack the same properties are drawn together.
        known_np = ~np.isnan(z_np)
        key_n = code_n << p | known_np @ (1 << np.arange(p))
        for key in np.unique(key_n):
            rows = key_n == key
            code, known = int(key) >> p, known_np[rows.argmax()]
            if (known | population.constant_p).all():
                z_np[rows] = np.clip(population.with_constants(z_np[rows]), -MAX_Z, MAX_Z)
                continue
            fixed = {
                name: z_np[rows, column]
                for column, name in enumerate(population.names)
                if known[column]
            }
            z_np[rows] = population.draw(code, fixed, pick_n[rows], jitter_np[rows])
        return torch.from_numpy(z_np)

    def as_text(self) -> str:
        """Return the request in the form that the command line takes, with every digit."""
        mixture = ",".join(f"{self.tree.get(code).name}:{w}" for code, w in self.mixture)
        asked = [f"{name}={low}:{high}" for name, (low, high) in self.properties.items()]
        return " ".join([mixture, *asked, *([] if self.population else ["no-population"])])

    def explain(self) -> str:
        """Say what is made of weights that are no shares; see `Asker.explain`.

        Weights that are all whole numbers are ratios, as in 2:1, and need no saying.
        """
        total = sum(weight for _, weight in self.mixture)
        if all(weight == round(weight) for _, weight in self.mixture) or abs(total - 1) < 1e-6:
            return ""
        shares = ", ".join(f"{self.tree.get(c).name} {w / total:.3%}" for c, w in self.mixture)
        return f"the weights of the mixture add up to {total:g}, not 1: made are {shares}"

    def check(self, population: Population) -> None:
        """Refuse what a model cannot make; see `galgen.request.asked.Asker.check`.

        Raises
        ------
        InvalidValueError
            If the request is of another tree than the population of the model, or a property is
            unknown to it or out of its range.
        """
        if self.tree != population.tree:
            hint = "Codes are of one tree: parse the mixture with that of the model."
            raise InvalidValueError("tree of the request", self.tree, repr(population.tree), hint)
        for name, ends in self.properties.items():
            for value in ends:
                population.standardise(name, value)

    def _codes(self, index_n: Tensor) -> np.ndarray:
        """Draw category codes."""
        codes = np.array([code for code, _ in self.mixture], np.int64)
        shares = np.cumsum([weight for _, weight in self.mixture])
        u_n = noise.uniform(self.seed, index_n, Stream.CATEGORY, 1)[:, 0].numpy()
        drawn = np.searchsorted(shares / shares[-1], u_n, side="right")
        return codes[np.minimum(drawn, len(codes) - 1)]

    def _given(self, population: Population, index_n: Tensor) -> dict[str, np.ndarray]:
        """Draw the properties that are fixed to a value or a range, standardised."""
        given = {}
        for name, (low, high) in self.properties.items():
            ends = population.standardise(name, low), population.standardise(name, high)
            # One stream per property by its place in the model, not in the user's list.
            stream = Stream.PROPERTY.at(population.names.index(name))
            u_n = noise.uniform(self.seed, index_n, stream, 1)[:, 0].numpy()
            given[name] = (ends[0] + (ends[1] - ends[0]) * u_n).astype(np.float32)
        return given


def parse_mixture(text: str, tree: Taxonomy = DEFAULT) -> tuple[tuple[int, float], ...]:
    """Parse ``spiral`` or ``spiral:0.6,smooth:0.4``, names in a tree, into codes and weights.

    Synonyms such as ``elliptical`` are taken for the nearest category, with a warning.

    Raises
    ------
    UnknownCategoryError, InvalidValueError
        If a category is unknown or a weight is not a positive number.
    """
    mixture = []
    for part in text.split(","):
        name, colon, weight = part.strip().partition(":")
        category = nearest(name, tree)
        mixture.append((category.code, _number(f"weight of {name}", weight) if colon else 1.0))
    return tuple(mixture)


def parse_properties(items: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Parse ``name=value`` and ``name=low:high``.

    Raises
    ------
    InvalidValueError
        If an item has another form.
    """
    properties = {}
    for item in items:
        name, equals, value = item.partition("=")
        low, colon, high = value.partition(":")
        if not equals:
            raise InvalidValueError("property", item, "name=value or name=low:high")
        first = _number(f"property {name}", low)
        properties[name.strip()] = (first, _number(f"property {name}", high) if colon else first)
    return properties


def as_ranges(
    properties: Mapping[str, float | tuple[float, float]] | None,
) -> dict[str, tuple[float, float]]:
    """Make ranges of no width of values, and leave ranges as they are."""
    return {
        name: value if isinstance(value, tuple) else (value, value)
        for name, value in (properties or {}).items()
    }


def _number(name: str, text: str) -> float:
    """Parse a finite number, or raise `InvalidValueError` by the name of what it is."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidValueError(name, text, "a finite number")
    return value
