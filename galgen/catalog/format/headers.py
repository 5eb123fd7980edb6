"""The headers of a catalogue: provenance, table and stamps, and `RunInfo` read back from them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from astropy.io import fits

from galgen.batch import SPARE
from galgen.catalog.format import seal
from galgen.catalog.format.columncards import described, exact_number, plain_ascii
from galgen.catalog.format.schema import row_dtype, run_columns
from galgen.catalog.format.stamps import BITPIX
from galgen.catalog.format.treecards import read_tree, tree_cards
from galgen.columns import Column, read_columns
from galgen.runinfo import RunInfo

FORMAT_VERSION = 1
CATALOG = "CATALOG"

# Card, attribute of RunInfo, its type, comment. None is not written.
_CARDS = (
    ("REQUEST", "request", str, "what was asked for"),
    ("SEED", "seed", int, "seed of the run"),
    ("MODEL", "model", str, "model"),
    ("MODELVER", "model_version", str, "version of its weights"),
    ("WTSHA256", "weights_sha256", str, ""),
    ("SAMPLER", "sampler", str, "diffusion sampler"),
    ("NSTEPS", "steps", int, "sampler steps"),
    ("CFGSCALE", "guidance", float, "classifier-free guidance scale"),
    ("MICROBAT", "micro_batch", int, "galaxies evaluated together"),
    ("DTYPE", "dtype", str, "arithmetic of the network"),
    ("KERNELS", "kernels", str, "what computed the network"),
    ("DEVICE", "device", str, "kind of device"),
    ("STAMPS", "stamps", str, "stored as float32, int16 or none"),
    ("NPIXX", "width", int, "stamp width"),
    ("NPIXY", "height", int, "stamp height"),
    ("FLUXUNIT", "flux_unit", str, "of fluxes"),
    ("PIXSCALE", "pixel_scale", float, "[arcsec] pixel side"),
    ("ZPT_AB", "zero_point", float, "[mag] AB magnitude of one flux unit"),
    ("FLUXCAL", "flux_calibration", str, "LINEAR, or RGBINV: from colour images"),
    ("FLUXSRC", "flux_source", str, "flux scale: INPUT (table) or MAGZERO (user)"),
    ("MAGZERO", "mag_zero", float, "[mag] given by the user"),
    ("STAMPPSF", "stamp_psf", float, "[arcsec] PSF of the stamps as made; 0 is none"),
    ("PSFFWHM", "psf", str, "[arcsec] Gaussian PSF of each band"),
    ("SKYSIGMA", "noise", str, "noise per pixel of each band, flux unit"),
    ("HOOK", "hook", str, "user function that changed the stamps"),
    ("LIKE", "like", str, "table whose rows these galaxies are like"),
    ("LIKESHA", "like_sha256", str, ""),
    ("LIKEROWS", "like_rows", int, "rows of that table"),
    ("LUPTON", "lupton", str, "stretch between flux and the training images"),
    ("TRAINSET", "training_set", str, "what the model learned from"),
    ("CREDIT", "credit", str, "whom to credit"),
)
_OPTIONAL = (
    *("PIXSCALE", "ZPT_AB", "LUPTON", "FLUXSRC", "MAGZERO"),
    *("STAMPPSF", "PSFFWHM", "SKYSIGMA", "HOOK", "LIKE", "LIKESHA", "LIKEROWS"),
)
_RNG = "philox4x32-10/inverse-cdf"
_NOT_CALIBRATED = (
    "Fluxes are not calibrated: 1 adu is the flux unit of the images that the model learned from, "
    "and no AB magnitude goes with it: SURFACE_BRIGHTNESS is instrumental, 22.5 is that of 1 adu. "
    "Its differences and ratios of bands are meaningful."
)
_FROM_IMAGES = (
    "FLUXCAL = RGBINV: the model learned from 8-bit colour images whose display stretch was "
    "inverted. Bright cores saturate and faint sky is cut, so {what} not photometry. "
    "SNR is of what noise the images have left: not that of an observation."
)
_SOURCES = {
    "INPUT": (
        "FLUXSRC = INPUT: stamps are scaled to the fluxes of the input table; columns TRUE_FLUX_* "
        "hold them."
    ),
    "MAGZERO": (
        "FLUXSRC = MAGZERO: the user says what magnitude one flux unit of the weights has; they "
        "are not calibrated themselves."
    ),
}
_OBSERVED = (
    "PSF, HOOK and noise were applied, in this order, to stamps whose flux TRUE_FLUX_* gives. The "
    "other columns are measured on the result."
)
_INTRINSIC = (
    "STAMPPSF = 0: the model makes galaxies as they are before a PSF and without noise, so that "
    "PSFFWHM and SKYSIGMA, where they are here, are all there is of both."
)
_NO_STAMPS = "Written without stamps: columns were measured on stamps of NPIXX x NPIXY pixels."
_NO_PIXEL_SCALE = "Stamps have no common pixel scale: sizes are in pixels."


def primary_header(info: RunInfo, first: int, n: int, stopped: str | None = None) -> fits.Header:
    """Make the header of the primary HDU, which has no data: where the galaxies come from.

    It depends on nothing but its arguments, and its length not on `n` or `stopped`.

    Parameters
    ----------
    info : RunInfo
        The run.
    first, n : int
        The first galaxy of the file, and how many are in it.
    stopped : str, optional
        Why there are fewer than asked for, in at most 72 characters.
    """
    header = fits.Header()
    _put(header, "SIMPLE", True, "FITS standard 4.0")
    _put(header, "BITPIX", 8, "no data here")
    _put(header, "NAXIS", 0, "galaxies are in the extensions")
    _put(header, "EXTEND", True, "")
    if info.date is not None:
        _put(header, "DATE", info.date, "UTC")
    version = info.versions.get("galgen", "")
    _put(header, "CREATOR", f"galgen {version}".strip(), "")
    _put(header, "FMTVERS", FORMAT_VERSION, "version of this layout of file")
    _put(header, "NGAL", n, "galaxies in this file")
    _put(header, "NASKED", info.n, "galaxies asked for")
    whole = "All galaxies that were asked for are in this file."
    if info.per_file is not None:
        _put(header, "PERFILE", info.per_file, "galaxies per file of this catalogue")
        _put(header, "FIRSTGAL", first, "GALAXY_ID of the first one here")
        number, files = first // info.per_file, -(-info.n // info.per_file)
        whole = f"File {number} of 0 to {files - 1}."
    _comment(header, (stopped or whole)[:72])
    for key, attribute, kind, comment in _CARDS:
        if getattr(info, attribute) is not None:
            _put(header, key, kind(getattr(info, attribute)), comment)
    _put(header, "RNGALG", _RNG, "noise, a function of SEED, GALAXY_ID")
    _put(header, "BANDS", ",".join(info.bands), "bluest first")
    if info.flux_unit == "adu" and info.zero_point is None:
        _comment(header, _NOT_CALIBRATED)
    if info.flux_source is not None:
        _comment(header, _SOURCES[info.flux_source])
    if info.stamp_psf == 0:
        _comment(header, _INTRINSIC)
    if info.psf or info.noise or info.hook:
        _comment(header, _OBSERVED)
    if info.flux_calibration == "RGBINV":
        scaled = info.flux_source == "INPUT"  # the totals are then right
        what = "profiles are" if scaled else "total fluxes and magnitudes are"
        _comment(header, _FROM_IMAGES.format(what=what))
    if info.stamps == "none":
        _comment(header, _NO_STAMPS)
    if info.pixel_scale is None:
        _comment(header, _NO_PIXEL_SCALE)
    for card in tree_cards(info.tree):
        _put(header, *card)
    for i, (package, version) in enumerate(sorted(info.versions.items())):
        _put(header, f"DEPNAM{i:02d}", package, "")
        _put(header, f"DEPVER{i:02d}", version, "")
    return _with_seal(header)


def table_header(
    columns: Sequence[Column],
    n: int,
    name: str = CATALOG,
    row: str = "galaxy",
    rows: str = "galaxies",
) -> fits.Header:
    """Make the header of a binary table.

    Parameters
    ----------
    columns : sequence of Column
        Columns in the order of the file.
    n : int
        Rows.
    name : str
        Name of the extension.
    row, rows : str
        What a row is, and several are, for the comments.
    """
    header = fits.Header()
    _put(header, "XTENSION", "BINTABLE", f"one row per {row}")
    _put(header, "BITPIX", 8, "")
    _put(header, "NAXIS", 2, "")
    _put(header, "NAXIS1", row_dtype(columns).itemsize, "bytes per row")
    _put(header, "NAXIS2", n, rows)
    _put(header, "PCOUNT", 0, "")
    _put(header, "GCOUNT", 1, "")
    _put(header, "TFIELDS", len(columns), "")
    _put(header, "EXTNAME", name, "")
    for i, column in enumerate(columns, 1):
        _put(header, f"TTYPE{i}", column.name, "")
        _put(header, f"TFORM{i}", column.form, "")
        if column.unit:
            _put(header, f"TUNIT{i}", column.unit, "")
        _put(header, f"TCOMM{i}", column.description, "")
        for key, value in column.cards:
            if isinstance(value, float):
                header.append(exact_number(f"{key}{i}", value), end=True)
            else:
                _put(header, f"{key}{i}", value, "")
    for line in described(columns):
        header.append(("COMMENT", line), end=True)
    return _with_seal(header)


def stamps_name(band: str) -> str:
    """Name of the extension with the stamps of a band."""
    return f"STAMPS_{band.upper()}"


def stamps_header(info: RunInfo, band: str, n: int) -> fits.Header:
    """Make the header of the image extension with `n` stamps of one band.

    The image is (n, h, w) in NumPy's order, of flux per pixel in `info.flux_unit`.
    """
    header = fits.Header()
    _put(header, "XTENSION", "IMAGE", "one stamp per galaxy")
    _put(header, "BITPIX", BITPIX[info.stamps], "")
    _put(header, "NAXIS", 3, "")
    _put(header, "NAXIS1", info.width, "stamp width")
    _put(header, "NAXIS2", info.height, "stamp height")
    _put(header, "NAXIS3", n, "galaxies, in the order of CATALOG")
    _put(header, "PCOUNT", 0, "")
    _put(header, "GCOUNT", 1, "")
    _put(header, "EXTNAME", stamps_name(band), "")
    _put(header, "BUNIT", info.flux_unit, "flux per pixel")
    _put(header, "BAND", band, "")
    if info.scaling:
        scale, zero = info.scaling[info.bands.index(band)]
        _put(header, "BSCALE", scale, "quantisation step; flux = BZERO + BSCALE * n")
        _put(header, "BZERO", zero, "flux of n = 0")
    return _with_seal(header)


def card_attributes() -> dict[str, tuple[str, str]]:
    """Map cards of the primary header to the attribute of `RunInfo` and to their comment."""
    return {key: (attribute, comment) for key, attribute, _, comment in _CARDS}


def read_info(hdus: fits.HDUList, primary: fits.Header | None = None) -> RunInfo:
    """Read the `RunInfo` that a catalogue was written with.

    Parameters
    ----------
    hdus : HDUList
        The catalogue, its stamps not scaled by astropy.
    primary : Header, optional
        Primary header to read in place of its own: that of a part.

    Raises
    ------
    KeyError
        Names the card that is missing.
    ValueError
        If a card has a value of another type.
    """
    primary = hdus[0].header if primary is None else primary
    values: dict[str, Any] = {
        attribute: None if key in _OPTIONAL and key not in primary else kind(primary[key])
        for key, attribute, kind, _ in _CARDS
    }
    packages = [key for key in primary if key.startswith("DEPNAM")]
    info = RunInfo(
        n=int(primary["NASKED"]),
        bands=tuple(primary["BANDS"].split(",")),
        date=primary.get("DATE"),
        per_file=primary.get("PERFILE"),
        versions={primary[key]: primary[key.replace("NAM", "VER")] for key in packages},
        tree=read_tree(primary),
        **values,
    )
    scaled = [hdus[stamps_name(b)].header for b in info.bands if info.stamps == "int16"]
    behind = read_columns(hdus[CATALOG].header)[len(run_columns(info)) :]
    return replace(
        info,
        scaling=tuple((float(header["BSCALE"]), float(header["BZERO"])) for header in scaled),
        carried=tuple(column for column in behind if column.name != SPARE),
    )


def _put(header: fits.Header, key: str, value: str | bool | int | float, comment: str) -> None:
    """Add a card, without its comment where that has no room."""
    if isinstance(value, str):
        value = plain_ascii(value)
        length = len(value.replace("'", "''"))
        if length > 68 and "LONGSTRN" not in header:  # becomes CONTINUE cards
            header.append(("LONGSTRN", "OGIP 1.0", "CONTINUE cards are used"), end=True)
        if length + len(comment) > 65:  # a card without its keyword, quotes and " / "
            comment = ""
    # At the end, where astropy would keep comments.
    header.append((key, value, comment), end=True)


def _comment(header: fits.Header, text: str) -> None:
    """Add a text of any length as cards ``COMMENT``."""
    for line in textwrap.wrap(text, 72):
        header.append(("COMMENT", line), end=True)


def _with_seal(header: fits.Header) -> fits.Header:
    """Add the cards of the seal."""
    seal.add_cards(header)
    return header
