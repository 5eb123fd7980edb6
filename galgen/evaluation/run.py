"""Compare a catalogue with real galaxies."""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from galgen.catalog import CatalogFile
from galgen.data import StampSet
from galgen.errors import InvalidValueError
from galgen.evaluation.columns import compared_columns, compared_values
from galgen.evaluation.distance import compare
from galgen.evaluation.neighbours import Neighbours, compare_neighbours, thumbnails
from galgen.evaluation.reference import (
    Reference,
    describe_reference,
    measure_reference,
    open_reference,
)
from galgen.evaluation.report import CategoryReport, Evaluation
from galgen.measure import measured_columns
from galgen.pictures.display import display_stretch, to_display
from galgen.pixels.lupton import LuptonStretch

MIN_SAMPLE = 10  # generated galaxies, and real ones in each half, below which nothing can be said
SPLITS = 100
NEIGHBOURS = 300
_REAL_NEIGHBOURS = 1000  # real galaxies whose nearest neighbours set the scale, about
_SAMPLE = 256  # stamps in memory
_PROVENANCE = ("request", "seed", "model", "model_version", "weights_sha256", "sampler", "steps")


def evaluate(
    catalog_path: str | Path,
    reference: StampSet | str | Path | Sequence[str | Path],
    seed: int = 0,
    splits: int = SPLITS,
    neighbours: int = NEIGHBOURS,
) -> Evaluation:
    """Compare colours, sizes and shapes of generated galaxies with those of real ones.

    For each category of the catalogue and each column, the Wasserstein-1 distance of the generated
    from the real galaxies, divided by that of two halves of the real ones, all of one sample size
    (`galgen.evaluation.distance.compare`): 1 means that the two cannot be told apart by as many
    galaxies. Real galaxies of a category are those labelled with it or anything below it. They are
    measured by the code that measured the catalogue. Copies of real galaxies would do very well,
    so nearest neighbours are looked at too.

    Parameters
    ----------
    catalog_path : str or Path
        Catalogue.
    reference : StampSet, path or several paths
        Real galaxies, or files that `galgen.data.open_stamps` reads, joined; stamps larger than the
        catalogue's are binned and cropped like training data.
    seed : int
        Of the random halves.
    splits : int
        Random halves to average over, 2 or more.
    neighbours : int
        Generated stamps to look for nearest neighbours of; 0 for none, as in a catalogue without
        stamps.

    Returns
    -------
    Evaluation
        With `table()` for people and `to_json()` for machines.

    Raises
    ------
    DataError
        If the reference cannot be read or compared: other bands, stamp size, unit or pixel scale,
        or no flux to be had.
    CatalogError
        If the catalogue is not one.
    InvalidValueError
        If `seed`, `splits` or `neighbours` is out of range.

    Examples
    --------
    >>> import galgen
    >>> found = galgen.evaluate("spirals.fits", "galaxies64-train.zip")  # doctest: +SKIP
    >>> print(found.table())  # doctest: +SKIP
    """
    for name, value, least in (
        ("seed", seed, 0),
        ("splits", splits, 2),
        ("neighbours", neighbours, 0),
    ):
        if value < least:
            raise InvalidValueError(name, value, f"{least} or more")
    with CatalogFile(catalog_path) as catalog:
        stamps = open_reference(reference, catalog.info)
        if catalog.info.stamps == "none":
            neighbours = 0
        stretch = display_stretch(catalog.info, _sample(catalog, neighbours))
        real = measure_reference(stamps, stretch)
        return Evaluation(
            catalog=_provenance(catalog),
            reference=describe_reference(stamps),
            seed=seed,
            splits=splits,
            units=compared_columns(catalog.bands),
            categories=tuple(_by_category(catalog, real, seed, splits)),
            neighbours=_neighbours(catalog, real, stretch, seed, neighbours),
            versions={name: importlib.metadata.version(name) for name in ("numpy", "torch")},
        )


def _by_category(
    catalog: CatalogFile, real: Reference, seed: int, splits: int
) -> Iterator[CategoryReport]:
    """Compare the galaxies of each category."""
    names = [column.name for column in measured_columns(catalog.bands)]
    measured = {name: catalog.column(name) for name in names}
    ours = compared_values(measured, catalog.bands)
    theirs = compared_values(real.measured, catalog.bands)
    category_n = catalog.column("CATEGORY")
    for code in np.unique(category_n).tolist():
        rows, members = np.flatnonzero(category_n == code), real.members(code)
        columns = {}
        for i, name in enumerate(ours):
            generated, wanted = _finite(ours[name][rows]), _finite(theirs[name][members])
            if min(len(generated), len(wanted) // 2) >= MIN_SAMPLE:
                rng = np.random.default_rng((seed, code, i))
                columns[name] = compare(generated, wanted, splits, rng)
        yield CategoryReport(
            name=catalog.info.tree.get(code).name,
            generated=len(rows),
            real=len(members),
            generated_undetected=_undetected(measured, rows),
            real_undetected=_undetected(real.measured, members),
            columns=columns,
        )


def _finite(values_n: np.ndarray) -> np.ndarray:
    """Return the values that were measured."""
    finite: np.ndarray = values_n[np.isfinite(values_n)]
    return finite


def _undetected(measured: Mapping[str, np.ndarray], rows: np.ndarray) -> float:
    """Fraction of rows in which no galaxy was found, NaN of none."""
    return float(np.isnan(measured["HALF_LIGHT_RADIUS"][rows]).mean()) if len(rows) else math.nan


def _neighbours(
    catalog: CatalogFile, real: Reference, stretch: LuptonStretch, seed: int, most: int
) -> Neighbours | None:
    """Look for neighbours of galaxies evenly spaced in the catalogue, where there are real ones."""
    rows = _evenly(len(catalog), most)
    members = [real.members(code) for code in catalog.column("CATEGORY")[rows].tolist()]
    rows = rows[np.array([len(m) > 0 for m in members], bool)]
    if len(rows) == 0:
        return None
    # Real galaxies of the same mixture of categories, enough for a first percentile.
    rng = np.random.default_rng(seed)
    draws = -(-_REAL_NEIGHBOURS // len(rows))
    alike = np.concatenate([rng.choice(m, draws) for m in members if len(m)])
    parts = [rows[i : i + _SAMPLE] for i in range(0, len(rows), _SAMPLE)]
    small = [thumbnails(torch.from_numpy(to_display(catalog.stamps(p), stretch))) for p in parts]
    return compare_neighbours(
        torch.cat(small),
        catalog.column("GALAXY_ID")[rows],
        real.thumbnails_mbss,
        real.stamps.ids,
        real.stamps.group,
        real.thumbnails_mbss[alike],
        real.stamps.group[alike],
    )


def _sample(catalog: CatalogFile, neighbours: int) -> np.ndarray:
    """Return stamps (n, B, H, W) to set display levels by."""
    if neighbours == 0:  # nothing will be looked at
        return np.ones((1, len(catalog.bands), 1, 1), np.float32)
    return catalog.stamps(_evenly(len(catalog), _SAMPLE))


def _evenly(n: int, most: int) -> np.ndarray:
    """Return at most `most` rows of n, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))


def _provenance(catalog: CatalogFile) -> dict[str, object]:
    """Tell which catalogue was evaluated, and what made it."""
    made_by = {name: getattr(catalog.info, name) for name in _PROVENANCE}
    versions = dict(catalog.info.versions)
    return {"file": catalog.path.name, "galaxies": len(catalog), **made_by, "versions": versions}
