"""What a catalogue's galaxies were asked to be, which it does not say: it has what was measured.

What was drawn for them is drawn once more, by the weights that made them; what a table asked is in
the columns that were carried over from it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch

from galgen.catalog import CatalogFile
from galgen.errors import InvalidValueError
from galgen.request.mixture import Request, parse_mixture, parse_properties
from galgen.request.population import Population
from galgen.runinfo import RunInfo
from galgen.weights import SHIPPED_WEIGHTS, checkpoint

_NO_POPULATION = "no-population"
# What a table says of a property that is measured in the same terms, beside colours.
_MEASURED_AS = {"half_light_radius_pix": "HALF_LIGHT_RADIUS", "axis_ratio": "AXIS_RATIO"}


def asked_of(
    catalog: CatalogFile, rows: np.ndarray, weights: str | Path | None = None
) -> dict[str, np.ndarray]:
    """Find out what was asked of some galaxies of a catalogue, whatever runs it is from.

    Parameters
    ----------
    catalog : CatalogFile
        The catalogue.
    rows : ndarray (n,) of int
        Which of its galaxies.
    weights : str or Path, optional
        Folder of the weights that made it, if they are not those that are shipped.

    Returns
    -------
    dict of str to ndarray (n,)
        By the name of the column that measures it, NaN where nothing was asked or it is not known;
        empty where nothing is.

    Raises
    ------
    InvalidValueError
        If `weights` are not those that made the catalogue.
    """
    if catalog.info.like is not None:
        return _of_table(catalog, rows)
    made_by = {part.info.weights_sha256 for part in catalog.parts}
    known = checkpoint.load(Path(weights or SHIPPED_WEIGHTS), "cpu")
    if known.sha256 not in made_by:
        if weights is not None:
            allowed = f"the weights that made {catalog.path.name}"
            raise InvalidValueError("weights", str(weights), allowed)
        return {}
    found: dict[str, np.ndarray] = {}
    ids = catalog.column("GALAXY_ID")
    for part in catalog.parts:
        here = (rows >= part.start) & (rows < part.start + part.n)
        if part.info.weights_sha256 == known.sha256 and part.info.like is None and here.any():
            request = request_of(part.info)
            values = asked_properties(request, known.population, ids[rows[here]])
            for name, value_n in values.items():
                found.setdefault(name, np.full(len(rows), np.nan))[here] = value_n
    return found


def _of_table(catalog: CatalogFile, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Read what a table asked of columns that were carried over from it."""
    carried = {column.name for column in catalog.info.carried}
    used = dict(re.findall(r"(\w+)=(\S+)", catalog.info.request))
    colours = {name: name.upper() for name in used if name.startswith("color_")}
    found = {}
    for name, column in (_MEASURED_AS | colours).items():
        if used.get(name) in carried:
            values = np.ma.asarray(catalog.column(used[name], rows), np.float64)
            found[column] = np.asarray(np.ma.filled(values, np.nan))
    return found


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
    z_np = request.ask(population, index_n).z_np.numpy()
    return {
        name.upper(): population.values(name, z_np[:, p]) for p, name in enumerate(population.names)
    }
