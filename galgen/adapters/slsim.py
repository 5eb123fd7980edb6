"""Galaxies as slsim's interpolated sources: a dictionary of what its `Source` takes.

::

    from slsim.Sources.source import Source
    from galgen.adapters.slsim import interpolated

    with galgen.CatalogFile("galaxies.fits") as catalog:
        source = interpolated(catalog, 3, redshift=1.2)
    Source(extended_source_type="interpolated", cosmo=cosmo, **source)

slsim takes dictionaries and is not imported.
"""

from __future__ import annotations

import math
from typing import Any

from galgen.adapters.lenstronomy import light_of
from galgen.catalog import CatalogFile
from galgen.export.scales import magnitudes, zero_point_of


def interpolated(
    catalog: CatalogFile,
    row: int,
    redshift: float,
    band: str | None = None,
    *,
    pixel_scale: float | None = None,
    mag_zero: float | None = None,
) -> dict[str, Any]:
    """Return what slsim's `Source` takes for a galaxy, whose centroid is at the origin.

    Parameters
    ----------
    catalog : CatalogFile
        The catalogue; in its stamps north is up and east to the left.
    row : int
        Which galaxy.
    redshift : float
        Of the galaxy. Its stamp is taken to show it as large as it is at that redshift.
    band : str, optional
        Whose image is taken: slsim has one for all bands. By default the middle one.
    pixel_scale : float, optional
        Arcsec per pixel of the stamp, by default the catalogue's own, where it has one.
    mag_zero : float, optional
        AB magnitude of one flux unit, by default the catalogue's own, where it has one.

    Returns
    -------
    dict
        ``z``, ``image``, ``pixel_width_data``, ``z_data``, ``phi_G``, ``center_x``, ``center_y``
        (of the middle of the image), ``angular_size`` (half-light radius, arcsec), ``e1`` and
        ``e2`` (slsim's, from north through east), and ``mag_<band>`` of every band.

    Raises
    ------
    InvalidValueError
        If there is no such row or band, nothing says how large or how bright the galaxy is, or it
        cannot be seen in its stamp.
    """
    light = light_of(catalog, row, band, pixel_scale)
    one = slice(row, row + 1)
    (mag_b,) = magnitudes(catalog, zero_point_of(catalog, mag_zero), one)
    (radius,) = catalog.column("HALF_LIGHT_RADIUS", one)
    ellipticity = (1 - light.axis_ratio) / (1 + light.axis_ratio)
    return {
        "z": redshift,
        "image": light.image_hw,
        "pixel_width_data": light.scale,
        "z_data": redshift,
        "phi_G": 0.0,
        "center_x": -light.x,
        "center_y": -light.y,
        "angular_size": float(radius) * light.scale,
        "e1": ellipticity * math.cos(2 * light.position_angle),
        "e2": ellipticity * math.sin(2 * light.position_angle),
        **{f"mag_{b}": float(mag) for b, mag in zip(catalog.bands, mag_b, strict=True)},
    }
