"""What a run asks for: `Asked`, of some galaxies, and `Asker`, whoever asks it of any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from torch import Tensor

from galgen.request.population import Population


@dataclass(frozen=True)
class Asked:
    """What is asked of n galaxies.

    Attributes
    ----------
    code_n : Tensor
        Category codes, int64.
    z_np : Tensor
        Standardised properties, float32; NaN where they are left to the network.
    flux_nb : Tensor or None
        Total flux to scale stamps to, float32, in the unit to be written; NaN where a galaxy has
        none, and None where nobody asks for any.
    carried : mapping of str to ndarray (n, ...)
        Columns carried over from a table, as FITS holds them, by their names in it and in its
        order; without a table, those of `galgen.request.unmeasured`.
    """

    code_n: Tensor
    z_np: Tensor
    flux_nb: Tensor | None = None
    carried: Mapping[str, np.ndarray] = field(default_factory=dict)


class Asker(Protocol):
    """Asks for galaxies: what is asked of galaxy i depends on neither the batch nor their number.

    `galgen.request.mixture.Request` draws from a mixture, `galgen.request.like.Like` reads a table.
    """

    @property
    def seed(self) -> int:
        """Seed of the run."""
        ...

    def check(self, population: Population) -> None:
        """Refuse what a model cannot make.

        Parameters
        ----------
        population : Population
            Population of the model.

        Raises
        ------
        InvalidValueError, DataError
            If something that is asked for cannot be had.
        """
        ...

    def ask(self, population: Population, index_n: Tensor) -> Asked:
        """Say what is asked of some galaxies.

        Parameters
        ----------
        population : Population
            Population of the model that will make them.
        index_n : Tensor
            Galaxy indices, int64, on the CPU.

        Returns
        -------
        Asked
            What is asked of these galaxies, in their order.
        """
        ...

    def as_text(self) -> str:
        """Return what is asked for as the user wrote it, with every digit."""
        ...

    def explain(self) -> str:
        """Say how what the user wrote is understood, where that needs saying; else nothing."""
        ...
