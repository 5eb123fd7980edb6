"""Compare a catalogue with real galaxies."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from galgen.catalog import CatalogFile
from galgen.data import StampSet, split
from galgen.evaluation.asked import asked_of
from galgen.evaluation.by_category import ByCategory
from galgen.evaluation.classified import compare_classes
from galgen.evaluation.columns import compared_columns
from galgen.evaluation.copies import compare_copies
from galgen.evaluation.exhibits import Exhibits
from galgen.evaluation.fidelity import PropertyFidelity, property_fidelity
from galgen.evaluation.galaxies import (
    Galaxies,
    as_pictures,
    evenly,
    evenly_of_each,
    generated_galaxies,
    pictures_of,
    real_galaxies,
)
from galgen.evaluation.reference import describe_reference, open_reference
from galgen.evaluation.report import CategoryReport, Evaluation
from galgen.evaluation.spaces import NO_SPACES, Spaces, open_spaces
from galgen.pictures.display import display_stretch
from galgen.pixels.lupton import LuptonStretch
from galgen.settings import require

SPLITS = 100
NEIGHBOURS = 300
STAMPS = 300
_SAMPLE = 256  # stamps that set the levels of pictures
_ASKED = 3000  # stream of random numbers, beside those of categories
MIN_ASKED = 10  # galaxies with both values below which no fidelity of a property is said
_PROVENANCE = ("request", "seed", "model", "model_version", "weights_sha256", "sampler", "steps")
_Real = StampSet | str | Path | Sequence[str | Path]


def evaluate(
    catalog_path: str | Path,
    reference: _Real,
    seed: int = 0,
    splits: int = SPLITS,
    neighbours: int = NEIGHBOURS,
    *,
    train: _Real | None = None,
    stamps: int = STAMPS,
    held_out: float | None = None,
    weights: str | Path | None = None,
    spaces: Spaces | None = None,
    progress: Callable[[str], None] | None = None,
) -> Evaluation:
    """Compare generated galaxies with real ones, as a referee would.

    For each category of the catalogue, of each column, of pairs of columns and of features of the
    pictures: the distance of the generated from the real galaxies beside that of real from real
    ones, all of one sample size, so that 1 means that the two cannot be told apart by as many
    galaxies; and how well a classifier tells them apart (0.5 is chance). Real galaxies of a
    category are those labelled with it or anything below it. They are measured by the code that
    measured the catalogue, and seen as 8-bit pictures of the same stretch. Copies of real galaxies
    would do very well, so nearest neighbours are looked at too.

    Parameters
    ----------
    catalog_path : str or Path
        Catalogue.
    reference : StampSet, path or several paths
        Real galaxies, or files that `galgen.data.open_stamps` reads, joined; stamps larger than the
        catalogue's are binned and cropped like training data. Best are galaxies that the model has
        not learned from.
    seed : int
        Of all that is random.
    splits : int
        Random halves to average over, 2 or more.
    neighbours : int
        Generated stamps to look for nearest neighbours of; 0 for none, as in a catalogue without
        stamps.
    train : StampSet, path or several paths, optional
        Real galaxies that the model learned from: a classifier of morphology is trained on them,
        and copies are looked for among them. Those that are in the reference, too, teach nothing.
    stamps : int
        Galaxies of a category, of either origin, whose stamps are looked at.
    held_out : float, optional
        Take only this fraction of the reference, in (0, 1), which ``galgen train`` holds out, and
        of `train` only the others; by default all.
    weights : str or Path, optional
        Folder of the weights that made the catalogue, if not those that are shipped: they know
        which properties were asked for.
    spaces : Spaces, optional
        Features by which pictures are compared; by default what
        `galgen.evaluation.spaces.open_spaces` makes of `train`.
    progress : callable, optional
        Is told what is being done.

    Returns
    -------
    Evaluation
        With `table()` for people and `to_json()` for machines; `galgen.evaluation.write_report`
        makes a page of it.

    Raises
    ------
    DataError
        If real galaxies cannot be read or compared: other bands, stamp size, unit or pixel scale,
        or no flux to be had.
    CatalogError
        If the catalogue is not one.
    InvalidValueError
        If `seed`, `splits`, `neighbours`, `stamps` or `held_out` is out of range.

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
        ("stamps", stamps, 1),
    ):
        require(value >= least, name, value, f"{least} or more")
    say = progress or (lambda _: None)
    with CatalogFile(catalog_path) as catalog:
        real_stamps = open_reference(reference, catalog.info)
        known = None if train is None else open_reference(train, catalog.info)
        if held_out is not None:
            real_stamps = split(real_stamps, held_out)[1]
            known = None if known is None else split(known, held_out)[0]
        say("measuring")
        stretch = _stretch(catalog)
        generated = generated_galaxies(catalog, stretch, stamps)
        real = real_galaxies(_of_categories(real_stamps, generated), stretch, stamps)
        some = evenly_of_each(generated.category_n, stamps)
        properties = _properties(generated, some, asked_of(catalog, some, weights), seed)
        copies, missing = None, []
        if stretch is None:
            spaces = NO_SPACES
            missing.append("all that takes stamps: the catalogue has none.")
        else:
            possible = real_stamps if known is None else known
            images_nhwc = pictures_of(possible, stretch)
            if spaces is None:
                say("preparing features" if known is None else "training a classifier")
                teachers = None if known is None else _unseen(as_pictures(known, images_nhwc), real)
                spaces = open_spaces(teachers, seed)
            if neighbours:
                say("looking for copies")
                rng = np.random.default_rng(seed)
                copies = compare_copies(generated, real, possible, images_nhwc, neighbours, rng)
                if copies is None:
                    missing.append("copies: there are too few real galaxies of these categories.")
            del images_nhwc
        say("comparing")
        comparison = ByCategory(generated, real, spaces.features, splits, seed)
        reports = [comparison.report(code) for code in np.unique(generated.category_n).tolist()]
        classified = None
        if spaces.classifier is not None:
            classified = compare_classes(generated, real, spaces.classifier)
        packages = {name: importlib.metadata.version(name) for name in ("numpy", "torch")}
        return Evaluation(
            catalog=_provenance(catalog),
            reference=describe_reference(real_stamps),
            train=None if known is None else describe_reference(known),
            seed=seed,
            splits=splits,
            stamps=stamps,
            units=compared_columns(catalog.bands),
            categories=tuple(reports),
            properties=properties,
            classified=classified,
            neighbours=None if copies is None else copies[0],
            missing=(*missing, *spaces.missing, *_too_few(reports), *_unasked(properties)),
            versions=packages | spaces.versions,
            exhibits=Exhibits(
                generated, real, comparison.judged, () if copies is None else copies[1]
            ),
        )


def _stretch(catalog: CatalogFile) -> LuptonStretch | None:
    """Make the stretch from flux to display values; None where there are no stamps."""
    if catalog.info.stamps == "none":
        return None
    return display_stretch(catalog.info, catalog.stamps(evenly(len(catalog), _SAMPLE)))


def _of_categories(stamps: StampSet, generated: Galaxies) -> StampSet:
    """Leave out the galaxies with which nothing is compared."""
    below = [
        stamps.tree.are_below(stamps.category, int(c)) for c in np.unique(generated.category_n)
    ]
    return stamps.select(np.any(below, axis=0))


def _unseen(train: StampSet, real: Galaxies) -> StampSet:
    """Leave out the galaxies that are in the reference, too."""
    return train.select(~np.isin(train.group, real.group_n))


def _properties(
    generated: Galaxies, rows: np.ndarray, asked: Mapping[str, np.ndarray], seed: int
) -> dict[str, PropertyFidelity]:
    """Compare what was asked with what was measured, where both are known."""
    found = {}
    for i, name in enumerate(generated.values):
        if name not in asked:
            continue
        measured = generated.values[name][rows]
        if (np.isfinite(asked[name]) & np.isfinite(measured)).sum() >= MIN_ASKED:
            rng = np.random.default_rng((seed, _ASKED, i))
            found[name] = property_fidelity(asked[name], measured, rng)
    return found


def _too_few(reports: Sequence[CategoryReport]) -> Iterator[str]:
    """Say which categories have too few galaxies for what."""
    columns = [r.name for r in reports if not r.columns]
    if columns:
        yield f"distances of {', '.join(columns)}: too few galaxies."
    if any(r.two_sample for r in reports):
        pictures = [r.name for r in reports if r.columns and not r.two_sample]
        if pictures:
            yield f"features of {', '.join(pictures)}: too few galaxies with stamps."


def _unasked(properties: Mapping[str, PropertyFidelity]) -> Iterator[str]:
    """Say that nothing is known of what was asked, if that is so."""
    if not properties:
        yield "properties asked against measured: it is not known what was asked."


def _provenance(catalog: CatalogFile) -> dict[str, object]:
    """Tell which catalogue was evaluated, and what made it."""
    made_by = {name: getattr(catalog.info, name) for name in _PROVENANCE}
    versions = dict(catalog.info.versions)
    return {"file": catalog.path.name, "galaxies": len(catalog), **made_by, "versions": versions}
