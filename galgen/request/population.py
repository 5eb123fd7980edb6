"""Physical properties as conditions: their scaling, their allowed ranges and their population.

The population is the table of properties measured on the training galaxies. Galaxies asked for by
category alone draw their properties from it, so a catalogue inherits the real joint distribution of
size, shape and colour instead of whatever a network interpolates when nothing is specified.

Galaxies that only teach the network are not in it. They are told apart by a property of their own,
`TEACH`: 1 for them, 0 for the population, and so 0 for every galaxy that is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from galgen.categories import DEFAULT, Taxonomy
from galgen.errors import InvalidValueError
from galgen.request.likeness import Likeness

# A smoothed bootstrap: jitter in units of the robust scatter, small against the spread within a
# category and large against the spacing of neighbours, so no training galaxy is asked for exactly.
JITTER = 0.1
# Width, in the same units, of the kernel that picks galaxies like the one asked for.
MATCH = 0.25
MAX_Z = 4.0
TEACH = "teach"


@dataclass(frozen=True)
class Population:
    """Standardised properties of the training galaxies.

    Attributes
    ----------
    names : tuple of str
        Property names, in the order of the network's condition.
    centre, scale : ndarray (p,)
        Median and robust scatter: z = (value - centre) / scale.
    lower, upper : ndarray (p,)
        Range of values that a user may ask for, in the property's unit.
    code_n : ndarray of int16
        Category code of each galaxy.
    z_np : ndarray of float32
        Standardised properties, NaN where not measured.
    tree : Taxonomy
        Whose codes these are.
    """

    names: tuple[str, ...]
    centre: np.ndarray
    scale: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    code_n: np.ndarray
    z_np: np.ndarray
    tree: Taxonomy = DEFAULT

    @classmethod
    def fit(
        cls,
        names: Sequence[str],
        values_np: np.ndarray,
        code_n: np.ndarray,
        tree: Taxonomy = DEFAULT,
    ) -> Population:
        """Fit a population to measured properties: median, median absolute deviation and range.

        Parameters
        ----------
        names : sequence of str
            The p properties.
        values_np : ndarray
            Values in their units, NaN where not measured.
        code_n : ndarray of int
            Category code of each galaxy.
        tree : Taxonomy
            Whose codes these are.
        """
        values = np.asarray(values_np, dtype=np.float64).reshape(len(code_n), len(names))
        centre = np.nanmedian(values, axis=0)
        # 1.4826 MAD is the standard deviation of a Gaussian
        scale = 1.4826 * np.nanmedian(np.abs(values - centre), axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        lower, upper = (np.nanpercentile(values, q, axis=0) for q in (0.1, 99.9))
        code_n = code_n.astype(np.int16)
        empty = np.empty((0, len(names)), np.float32)
        population = cls(tuple(names), centre, scale, lower, upper, code_n, empty, tree)
        return replace(population, z_np=population.standardised(values))

    def standardised(self, values_np: np.ndarray) -> np.ndarray:
        """Return z (n, p) of measured values (n, p), float32, within what the network sees."""
        z_np = (np.asarray(values_np) - self.centre) / self.scale
        clipped_np: np.ndarray = np.clip(z_np, -MAX_Z, MAX_Z)
        return clipped_np.astype(np.float32)

    def standardise(self, name: str, value: float) -> float:
        """Return z of one value that is asked for.

        Parameters
        ----------
        name : str
            The property.
        value : float
            Its value, in its own unit.

        Raises
        ------
        InvalidValueError
            If the model does not know the property or the value is outside the training range.
        """
        if name not in self.names:
            allowed = ", ".join(self.names) or "none, this model has no properties"
            raise InvalidValueError("property", name, allowed)
        p = self.names.index(name)
        if not self.lower[p] <= value <= self.upper[p]:
            raise InvalidValueError(
                f"property {name}",
                value,
                f"{self.lower[p]:.4g} to {self.upper[p]:.4g}",
                "The model has seen nothing outside this range.",
            )
        return float((value - self.centre[p]) / self.scale[p])

    def values(self, name: str, z_n: np.ndarray) -> np.ndarray:
        """Return the values of one property (n,), in its unit, of standardised ones; float64."""
        p = self.names.index(name)
        values_n: np.ndarray = self.centre[p] + self.scale[p] * np.asarray(z_n, np.float64)
        return values_n

    def draw(
        self, code: int, given: Mapping[str, np.ndarray], pick_n: np.ndarray, jitter_np: np.ndarray
    ) -> np.ndarray:
        """Draw standardised properties of galaxies of one category.

        Parameters
        ----------
        code : int
            Category; galaxies labelled with it or anything below it are drawn from.
        given : mapping of str to ndarray (n,)
            Standardised values that are fixed; the others are drawn from galaxies that resemble
            them (kernel-weighted bootstrap).
        pick_n : ndarray
            Uniform numbers that pick the training galaxy.
        jitter_np : ndarray
            Standard normal numbers that smooth the bootstrap.

        Returns
        -------
        ndarray (n, p) of float32
            NaN where the training galaxy's property was not measured. Properties that have one
            value in all of the population have it.
        """
        n, p = len(pick_n), len(self.names)
        rows = self._rows_of(code)
        fixed = {self.names.index(name): np.asarray(z, np.float32) for name, z in given.items()}
        z_np = np.full((n, p), np.nan, np.float32)
        if len(rows):
            z_np = self.z_np[rows[self._pick(code, fixed, pick_n)]]
            z_np = z_np + JITTER * jitter_np.astype(np.float32) * ~self.constant_p
        for column, z_n in fixed.items():
            z_np[:, column] = z_n
        clipped_np: np.ndarray = np.clip(self.with_constants(z_np), -MAX_Z, MAX_Z)
        return clipped_np

    @property
    def constant_p(self) -> np.ndarray:
        """Which properties have one value in all of the population, such as `TEACH`; (p,) bool."""
        constant_p: np.ndarray = self.lower == self.upper
        return constant_p

    def with_constants(self, z_np: np.ndarray) -> np.ndarray:
        """Return z (n, p) with their value for properties of one value that are free (NaN)."""
        value_p = np.where(self.constant_p, (self.lower - self.centre) / self.scale, np.nan)
        return np.where(np.isnan(z_np), value_p, z_np).astype(np.float32)

    def _pick(self, code: int, fixed: Mapping[int, np.ndarray], pick_n: np.ndarray) -> np.ndarray:
        """Which of a category's galaxies each number picks, by likeness to the fixed values."""
        if not fixed:
            count = len(self._rows_of(code))
            return np.minimum((pick_n * count).astype(np.int64), count - 1)
        columns = tuple(sorted(fixed))
        wanted_nd = np.column_stack([fixed[column] for column in columns])
        return self._alike(code, columns).pick(wanted_nd / MATCH, pick_n)

    @cached_property
    def _rows_of(self) -> Callable[[int], np.ndarray]:
        """Which galaxies are of a category or below it; looked up once for each."""
        return lru_cache(maxsize=64)(
            lambda code: np.flatnonzero(self.tree.are_below(self.code_n, code))
        )

    @cached_property
    def _alike(self) -> Callable[[int, tuple[int, ...]], Likeness]:
        """A category's galaxies by some of their properties; arranged once for each of those."""

        @lru_cache(maxsize=64)
        def arrange(code: int, columns: tuple[int, ...]) -> Likeness:
            z_nd = self.z_np[self._rows_of(code)][:, list(columns)]
            # Galaxies whose property is not known resemble nobody.
            return Likeness(np.nan_to_num(z_nd, nan=2 * MAX_Z) / MATCH)

        return arrange

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what a weights file stores, by name; see `from_arrays`."""
        ranges = np.stack([self.centre, self.scale, self.lower, self.upper]).astype(np.float64)
        # Half precision resolves z to better than 0.002, far below the bootstrap's jitter.
        return {"ranges": ranges, "code": self.code_n, "z": self.z_np.astype(np.float16)}

    @classmethod
    def from_arrays(
        cls, names: Sequence[str], arrays: Mapping[str, np.ndarray], tree: Taxonomy = DEFAULT
    ) -> Population:
        """Make a population of what `arrays` returned.

        Parameters
        ----------
        names : sequence of str
            The properties.
        arrays : mapping of str to ndarray
            What a weights file stores, by name.
        tree : Taxonomy
            Whose codes are in it.

        Raises
        ------
        InvalidValueError
            If the arrays are not those of a population with these properties and categories.
        """
        ranges, code_n, z_np = arrays["ranges"], arrays["code"], arrays["z"]
        expected = (4, len(names)), (len(code_n), len(names))
        if (ranges.shape, z_np.shape) != expected:
            raise InvalidValueError("population", (ranges.shape, z_np.shape), str(expected))
        if len(code_n) and not 0 <= code_n.min() <= code_n.max() < len(tree):
            given = f"{code_n.min()}..{code_n.max()}"
            raise InvalidValueError("categories of the population", given, f"0..{len(tree) - 1}")
        centre, scale, lower, upper = ranges
        z_np = z_np.astype(np.float32)
        return cls(tuple(names), centre, scale, lower, upper, code_n, z_np, tree)
