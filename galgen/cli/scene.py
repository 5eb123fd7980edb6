"""``galgen scene``: an image of a field of galaxies, and the truth about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal
from typer import Option

from galgen.categories.taxonomy import ROOT
from galgen.cli import complete
from galgen.cli.options import (
    Batch,
    Device,
    OutFits,
    OverwriteFile,
    Quiet,
    Sampler,
    Steps,
    Weights,
    given,
)
from galgen.cli.values import parse_numbers
from galgen.errors import InvalidValueError

if TYPE_CHECKING:
    from galgen.scene.galaxies import Galaxies

MIXTURE, LIMITS = "smooth,spiral,edge-on", "19:24"
# What goes without an option, and says so when it does not.
_MEANINGLESS = {
    "galaxies": "a file where no option of how to make galaxies",
    "catalog": "a table where none of --mag, --n, --counts and --clustering",
}


def scene(
    out: OutFits,
    galaxies: Annotated[
        Path | None,
        Option(help="Catalogue of 'galgen mass' to take galaxies from, instead of making them."),
    ] = None,
    category: Annotated[
        str | None,
        Option(
            help=f"What to make: a category or a mixture; else {MIXTURE}, "
            f"of weights with categories of their own {ROOT}.",
            autocompletion=complete.categories,
        ),
    ] = None,
    catalog: Annotated[
        Path | None,
        Option(
            help="Table (FITS, VOTable, Parquet, ECSV, CSV) of what to draw, instead of number "
            "counts: ra, dec, mag or mag_<band>; where wanted half_light_radius, position_angle, "
            "category."
        ),
    ] = None,
    map: Annotated[
        list[str] | None, Option(help="Column names of the table: ours=theirs. Repeatable.")
    ] = None,
    table: Annotated[
        str | None, Option(help="Which table of a file with several: its name, or number from 1.")
    ] = None,
    lens: Annotated[
        str | None,
        Option(
            help="What the table's g1, g2 (or shear_1, shear_2) and kappa change: shape, and with "
            "commas those of size, flux and position that it has from before lensing.",
            show_default="nothing",
        ),
    ] = None,
    flip_g2: Annotated[
        bool, Option("--flip-g2", help="Take g2 with the other sign, as of angles through west.")
    ] = False,
    mag: Annotated[
        str | None,
        Option(help=f"Limits of the magnitudes, bright:faint; else {LIMITS}."),
    ] = None,
    counts: Annotated[
        str | None,
        Option(
            help="Number counts in the --mag-band: DENSITY,SLOPE,MAG of N(<m) per arcmin2, or a "
            "table of mag and density.",
            show_default="those of i, 46,0.31,25",
        ),
    ] = None,
    clustering: Annotated[
        str | None,
        Option(
            help="Two-point function of positions: AMPLITUDE,GAMMA of w = AMPLITUDE (theta / "
            "deg)^-GAMMA, or a table of theta and w.",
            show_default="none",
        ),
    ] = None,
    n: Annotated[
        int | None,
        Option(
            "--n",
            "-n",
            help="How many galaxies.",
            show_default="what the counts give for the area",
        ),
    ] = None,
    mag_band: Annotated[
        str | None, Option(help="Band of the magnitudes, else i; the others follow from colours.")
    ] = None,
    ra: Annotated[float, Option(help="Centre, deg.")] = 150.0,
    dec: Annotated[float, Option(help="Centre, deg.")] = 2.0,
    size: Annotated[str, Option(help="Pixels: 1024, or WIDTHxHEIGHT.")] = "1024",
    pixscale: Annotated[float, Option(help="Arcsec per pixel.")] = 0.2,
    psf: Annotated[
        str, Option(help="none, gaussian:FWHM, moffat:FWHM[:BETA] or FITS image; or one per band.")
    ] = "moffat:0.7",
    depth: Annotated[
        str, Option(help="Noise: mag of a point source at 5 sigma, inf for none; or one per band.")
    ] = "25",
    sky: Annotated[str, Option(help="Background, flux per pixel; or one per band.")] = "0",
    mag_zero: Annotated[
        float, Option(help="AB magnitude of one flux unit: 22.5 nanomaggy, 31.4 nJy.")
    ] = 22.5,
    seed: Annotated[int, Option(help="Equal seeds and options make equal files.")] = 0,
    steps: Steps = None,
    sampler: Sampler = None,
    weights: Weights = None,
    batch: Batch = None,
    device: Device = None,
    overwrite: OverwriteFile = False,
    quiet: Quiet = False,
) -> None:
    """Make an image of a field in every band, with WCS, PSF and noise, and a table of the truth.

    Galaxies have random positions and magnitudes from number counts, or those of a table.
    """
    from galgen.cli.hints import in_options
    from galgen.cli.progress import ProgressLine
    from galgen.request.mixture import Request, parse_mixture
    from galgen.request.names import parse_map
    from galgen.request.table import InputTable
    from galgen.scene import (
        CatalogGalaxies,
        Field,
        Imaging,
        explain_sources,
        make_scene,
        random_sources,
        read_sources,
    )
    from galgen.scene.counts import I_BAND
    from galgen.scene.given import parse_clustering, parse_counts
    from galgen.scene.lensing import parse_changes
    from galgen.system.files import check_output

    # What can be refused without galaxies is refused before there are any.
    texts = [*psf.split(","), counts, clustering]
    given = [catalog, galaxies, *(Path(text) for text in texts if text)]
    check_output(out, overwrite, [path for path in given if path])
    field = Field(ra, dec, *_sides(size), pixscale)
    sky_level, limit = parse_numbers("sky", sky), parse_numbers("depth", depth)
    imaging = Imaging(mag_zero, tuple(psf.split(",")), limit, sky_level)
    _alone("galaxies", galaxies, category, weights, steps, sampler, batch, device)
    _alone("catalog", catalog, mag, n, counts, clustering)
    for name, value in (("map", map), ("table", table), ("lens", lens)):
        if value and not catalog:
            raise InvalidValueError(name, value, "with --catalog only")
    if flip_g2 and not lens:
        raise InvalidValueError("flip-g2", flip_g2, "with --lens only")
    changes = parse_changes(lens.split(",")) if lens is not None else ()
    listed = InputTable(catalog, parse_map(map or []), table) if catalog else None
    limits = _limits(mag or LIMITS)
    known_counts = I_BAND if counts is None else parse_counts(counts)
    two_point = None if clustering is None else parse_clustering(clustering)

    if galaxies:
        source: Galaxies = CatalogGalaxies(galaxies, seed)
    else:
        source = _generated(category, seed, steps, sampler, weights, batch, device)
    said = [explain_sources(listed, source.bands, mag_band, changes)] if listed else []
    said += [Request(parse_mixture(category, source.tree)).explain()] if category else []
    for text in filter(None, said if not quiet else ()):
        typer.echo(f"galgen: {in_options(text)}", err=True)
    if listed:
        sources = read_sources(
            listed,
            field,
            source.bands,
            band=mag_band,
            margin=imaging.margin(source.bands, pixscale),
            seed=seed,
            tree=source.tree,
            lens=changes,
            flip_g2=flip_g2,
        )
    else:
        sources = random_sources(
            field,
            source.bands,
            limits=limits,
            n=n,
            band=mag_band,
            seed=seed,
            counts=known_counts,
            clustering=two_point,
        )
    with ProgressLine(max(1, len(sources)), "galaxies", quiet=quiet) as line:
        drawn = make_scene(
            out,
            source,
            sources,
            field,
            imaging,
            seed=seed,
            overwrite=overwrite,
            progress=line.update,
        )
    if not quiet:
        left_out = f" ({len(sources) - drawn} left out)" if drawn < len(sources) else ""
        typer.echo(f"{out}: {drawn:,} galaxies{left_out}, {decimal(out.stat().st_size)}")


def _generated(
    category: str | None,
    seed: int,
    steps: int | None,
    sampler: str | None,
    weights: Path | None,
    batch: int | None,
    device: str | None,
) -> Galaxies:
    """Galaxies that the weights make as they are needed."""
    from galgen.categories import DEFAULT
    from galgen.generate import load_model
    from galgen.scene import GeneratedGalaxies

    model = load_model(weights, device)
    category = category or (MIXTURE if model.checkpoint.tree == DEFAULT else ROOT)
    sampling = model.sampling(**given(sampler=sampler, steps=steps, micro_batch=batch))
    return GeneratedGalaxies(model, category, seed, sampling)


def _alone(name: str, value: Path | None, *others: object) -> None:
    """Refuse options that mean nothing beside another."""
    if value is not None and any(other is not None for other in others):
        raise InvalidValueError(name, str(value), f"{_MEANINGLESS[name]} is given beside it")


def _sides(text: str) -> tuple[int, int]:
    """Sides of '1024' or '2048x1024', in pixels."""
    width, cross, height = text.partition("x")
    return _whole_number("size", width), _whole_number("size", height if cross else width)


def _limits(text: str) -> tuple[float, float]:
    """Magnitudes of 'bright:faint'."""
    bright, _, faint = text.partition(":")
    return _number("mag", bright), _number("mag", faint)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidValueError(name, text, "a number") from None


def _whole_number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidValueError(name, text, "a whole number") from None
