"""What a catalogue's galaxies were asked to be, drawn once more: it has only what was measured."""

from __future__ import annotations

import numpy as np
import torch

from galgen.errors import InvalidValueError
from galgen.request.mixture import Request, parse_mixture, parse_properties
from galgen.request.population import Population
from galgen.runinfo import RunInfo

_NO_POPULATION = "no-population"


def request_of(info: RunInfo) -> Request:
    """Make a run's request of what its catalogue says of it.

    Parameters
    ----------
    info : RunInfo
        Of the catalogue.

    Raises
    ------
    InvalidValueError
        If the galaxies were made after a table, which is not in the catalogue.
    """
    if info.like is not None:
        raise InvalidValueError("request", info.request, "a mixture of categories, not a table")
    mixture, *words = info.request.split()
    properties = parse_properties(word for word in words if word != _NO_POPULATION)
    return Request(
        parse_mixture(mixture, info.tree),
        properties,
        seed=info.seed,
        population=_NO_POPULATION not in words,
        tree=info.tree,
    )


def asked_properties(
    request: Request, population: Population, galaxy_id_n: np.ndarray
) -> dict[str, np.ndarray]:
    """Draw what galaxies were asked for, as when they were made.

    Parameters
    ----------
    request : Request
        What was asked, see `request_of`.
    population : Population
        Of the weights that made the galaxies: of others, the numbers mean nothing.
    galaxy_id_n : ndarray (n,) of int
        Column ``GALAXY_ID``.

    Returns
    -------
    dict of str to ndarray (n,)
        By the name that the measured column has in a catalogue, or would have, in its unit; NaN
        where nothing was asked.
    """
    index_n = torch.from_numpy(np.asarray(galaxy_id_n, np.int64))
    z_np = request.ask(population, index_n).z_np.numpy().astype(np.float64)
    values_np = population.centre + population.scale * z_np
    return {name.upper(): values_np[:, p] for p, name in enumerate(population.names)}
