"""What our columns are called in the tables of surveys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from galgen.errors import InvalidValueError

# What we call a column, and the names it goes by, whatever their case; the first found is taken.
# Legacy Surveys (Tractor), SDSS, DESC (CosmoDC2), SourceExtractor, galgen itself. No name is here
# that often means something else, as q does, an axis ratio or a quality flag.
NAMES = {
    "ra": ("ra", "ra_deg", "raj2000", "alpha_j2000", "alphawin_j2000"),
    "dec": ("dec", "dec_deg", "dej2000", "decj2000", "delta_j2000", "deltawin_j2000"),
    "mag": ("mag", "magnitude", "mag_auto"),
    "density": ("density",),
    "category": ("category", "category_name", "morphology"),
    "half_light_radius": (
        *("half_light_radius", "shape_r", "hlr", "r50"),
        *("petror50_r", "exprad_r", "devrad_r", "size_true", "size"),
    ),
    "half_light_radius_pix": ("half_light_radius_pix", "hlr_pix", "r50_pix"),
    "axis_ratio": ("axis_ratio", "b_a", "ba", "expab_r", "devab_r"),
    "ellipticity": ("ellipticity", "ellipticity_true"),
    "ellipticity_1": ("ellipticity_1", "shape_e1", "ellipticity_1_true"),
    "ellipticity_2": ("ellipticity_2", "shape_e2", "ellipticity_2_true"),
    "position_angle": ("position_angle", "pa"),
    # Of shear and convergence only names of known sign: see `galgen.scene.lensing`.
    "g1": ("g1",),
    "g2": ("g2",),
    "shear_1": ("shear_1",),
    "shear_2": ("shear_2", "shear_2_treecorr"),
    "kappa": ("kappa", "convergence"),
    "redshift": ("redshift", "redshift_true", "z_spec", "z_phot", "photoz"),
}
_OF_BANDS = re.compile(r"(mag|flux)_\w+|color_\w+_\w+")


def check_ours(names: Iterable[str]) -> None:
    """Refuse names that are not ours.

    Raises
    ------
    InvalidValueError
        If one is neither in `NAMES` nor of a band.
    """
    for ours in names:
        if ours not in NAMES and not _OF_BANDS.fullmatch(ours):
            allowed = ", ".join(NAMES) + ", mag_<band>, flux_<band>, color_<band>_<band>"
            raise InvalidValueError("column to map", ours, allowed)


def parse_map(items: Iterable[str]) -> dict[str, str]:
    """Parse ``ours=theirs``, names of columns.

    Raises
    ------
    InvalidValueError
        If an item has another form.
    """
    renamed = {}
    for item in items:
        ours, _, theirs = (part.strip() for part in item.partition("="))
        if not ours or not theirs:
            raise InvalidValueError("map", item, "ours=theirs, such as mag=MAG_AUTO")
        renamed[ours] = theirs
    return renamed


def explain(used: Mapping[str, str], nothing: Iterable[str]) -> str:
    """Say which columns are taken for what, and for what there is none.

    Parameters
    ----------
    used : mapping of str to str
        Our names of columns, and the table's.
    nothing : iterable of str
        Our names of what the table has no column for.
    """
    taken = [f"{ours} <- {theirs}" for ours, theirs in used.items()]
    missing = " or ".join(nothing)
    return ", ".join([*taken, *([f"nothing for {missing}"] if missing else [])])
