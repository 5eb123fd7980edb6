"""What is asked of galaxies and cannot be measured of their stamps: columns of its own tell it."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from galgen.columns import Column
from galgen.measure.columns import column
from galgen.request.population import Population

_COLUMNS = {
    "redshift": column("REDSHIFT", "src.redshift", "", "asked for, or drawn with what was"),
}


def unmeasured_columns(population: Population) -> tuple[Column, ...]:
    """List the columns of properties that a model is told and no image shows: redshift, or none.

    Parameters
    ----------
    population : Population
        Of the model.

    Returns
    -------
    tuple of Column
        In the order of the model's properties.
    """
    return tuple(_COLUMNS[name] for name in population.names if name in _COLUMNS)


def unmeasured(population: Population, z_np: Tensor) -> dict[str, np.ndarray]:
    """Return what these columns hold.

    Parameters
    ----------
    population : Population
        Of the model.
    z_np : Tensor (n, p)
        Standardised properties that the network is told.

    Returns
    -------
    dict of str to ndarray (n,)
        As FITS holds it, by column; NaN where it is left to the network.
    """
    return {
        _COLUMNS[name].name: population.values(name, z_np[:, p].numpy()).astype(
            _COLUMNS[name].dtype
        )
        for p, name in enumerate(population.names)
        if name in _COLUMNS
    }
