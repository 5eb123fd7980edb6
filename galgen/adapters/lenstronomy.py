"""Galaxies as lenstronomy's light model ``INTERPOL``: a dictionary of its parameters.

::

    from lenstronomy.LightModel.light_model import LightModel
    from galgen.adapters.lenstronomy import interpol

    with galgen.CatalogFile("galaxies.fits") as catalog:
        source = interpol(catalog, 3, "r")
    LightModel(["INTERPOL"]).surface_brightness(x, y, [source])

lenstronomy takes dictionaries and is not imported.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from galgen.catalog import CatalogFile
from galgen.errors import InvalidValueError
from galgen.export.scales import pixel_scale_of
from galgen.measure.clean import clean


class Light(NamedTuple):
    """The light of a galaxy in a band, as the sky shows it to the east and to the north.

    Attributes
    ----------
    image_hw : ndarray (h, w) float64
        Flux per square arcsec; columns run to the east, rows to the north. Its sum times the area
        of a pixel is ``FLUX_<BAND>`` of the catalogue.
    scale : float
        Arcsec per pixel.
    x, y : float
        Centroid (arcsec) from the middle of the image, to the east and to the north.
    axis_ratio, position_angle : float
        Ellipse of its second moments; its major axis in radian, from north through east.
    """

    image_hw: np.ndarray
    scale: float
    x: float
    y: float
    axis_ratio: float
    position_angle: float


def light_of(
    catalog: CatalogFile, row: int, band: str | None = None, pixel_scale: float | None = None
) -> Light:
    """Take a galaxy out of its stamp, without sky, neighbours and edges.

    Parameters
    ----------
    catalog : CatalogFile
        The catalogue; in its stamps north is up and east to the left.
    row : int
        Which galaxy.
    band : str, optional
        By default the middle one.
    pixel_scale : float, optional
        Arcsec per pixel, by default the catalogue's own, where it has one.

    Raises
    ------
    InvalidValueError
        If there is no such row or band, no pixel scale, or the galaxy cannot be seen in its stamp.
    """
    band = catalog.bands[len(catalog.bands) // 2] if band is None else band
    if band not in catalog.bands:
        raise InvalidValueError("band", band, ", ".join(catalog.bands))
    if not 0 <= row < len(catalog):
        raise InvalidValueError("row", row, f"0..{len(catalog) - 1}")
    scale = pixel_scale_of(catalog, pixel_scale)
    (stamp,) = clean(catalog.stamps(slice(row, row + 1)))
    (flux,) = catalog.column(f"FLUX_{band.upper()}", slice(row, row + 1)).astype(np.float64)
    if stamp is None or not flux > 0:
        raise InvalidValueError("row", row, "a galaxy that can be seen in its stamp")
    light_hw = stamp.flux_bhw[catalog.bands.index(band)].astype(np.float64)
    h, w = light_hw.shape
    return Light(
        np.ascontiguousarray(light_hw[:, ::-1]) * flux / (light_hw.sum() * scale**2),
        scale,
        ((w - 1) / 2 - stamp.x) * scale,
        (stamp.y - (h - 1) / 2) * scale,
        stamp.axis_ratio,
        (stamp.angle - math.pi / 2) % math.pi,
    )


def interpol(
    catalog: CatalogFile,
    row: int,
    band: str | None = None,
    *,
    magnitude: float | None = None,
    center_x: float = 0.0,
    center_y: float = 0.0,
    phi_G: float = 0.0,
    pixel_scale: float | None = None,
) -> dict[str, Any]:
    """Return the parameters of ``INTERPOL`` for a galaxy, whose centroid is at a given position.

    Parameters
    ----------
    catalog : CatalogFile
        The catalogue; in its stamps north is up and east to the left.
    row : int
        Which galaxy.
    band : str, optional
        By default the middle one.
    magnitude : float, optional
        Given instead of an amplitude, for lenstronomy's `SimAPI`. By default the amplitude is 1, by
        which the total flux is ``FLUX_<BAND>`` of the catalogue, in its unit.
    center_x, center_y : float
        Where its centroid is: arcsec to the east and to the north.
    phi_G : float
        By how much it is turned (rad), from east to north: counter-clockwise where x is to the
        right and y up.
    pixel_scale : float, optional
        Arcsec per pixel of the stamp, by default the catalogue's own, where it has one.

    Returns
    -------
    dict
        ``image``, ``center_x``, ``center_y`` (of its middle), ``phi_G``, ``scale``, and ``amp`` or
        ``magnitude``.

    Raises
    ------
    InvalidValueError
        If there is no such row or band, no pixel scale, or the galaxy cannot be seen in its stamp.
    """
    light = light_of(catalog, row, band, pixel_scale)
    cos, sin = math.cos(phi_G), math.sin(phi_G)
    brightness = {"amp": 1.0} if magnitude is None else {"magnitude": magnitude}
    return {
        "image": light.image_hw,
        "center_x": center_x - (light.x * cos - light.y * sin),
        "center_y": center_y - (light.x * sin + light.y * cos),
        "phi_G": phi_G,
        "scale": light.scale,
        **brightness,
    }
