"""Galaxies in BlendingToolKit (BTK): a catalogue of them, and the generator that draws its blends.

::

    import btk
    from galgen.adapters.btk import GalgenCatalog, GalgenGenerator

    survey = btk.survey.get_surveys("LSST")
    survey.available_filters = ["g", "r", "i"]  # those of the galaxies
    catalog = GalgenCatalog.from_file("galaxies.fits")
    sampling = btk.sampling_functions.DefaultSampling()
    batch = next(GalgenGenerator(catalog, sampling, survey))
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from astropy.table import Row, Table

from galgen.errors import InvalidValueError, MissingPackageError

try:
    from btk.catalog import Catalog
    from btk.draw_blends import DrawBlendsGenerator
    from btk.survey import Filter, Survey
except ImportError as error:
    raise MissingPackageError("BTK, which galgen.adapters.btk needs,", "btk", error) from error

import galsim

from galgen.catalog import CatalogFile
from galgen.export.angles import AngleColumn
from galgen.export.scales import magnitudes, pixel_scale_of, zero_point_of
from galgen.galsim import inputs
from galgen.galsim.profile import profile
from galgen.pixels.units import flux_ratio


class GalgenCatalog(Catalog):
    """Galaxies of a catalogue for BTK's sampling functions: those that have flux in every band.

    Parameters
    ----------
    raw_catalog : Table
        All columns of the catalogue, a row per galaxy.
    table : Table
        What BTK samples from: ``btk_index`` (row of `raw_catalog`), ``ra`` and ``dec`` (deg, 0
        where the catalogue has no positions), ``<band>_ab`` (AB magnitude), ``GALAXY_ID``, ``SEED``
        and ``CATEGORY_NAME``.
    galaxies : galgen.galsim.GalgenCatalog
        Their stamps, as in `raw_catalog`.
    pixel_scale : float
        Arcsec per pixel of the stamps.
    """

    def __init__(
        self,
        raw_catalog: Table,
        table: Table,
        galaxies: inputs.GalgenCatalog,
        pixel_scale: float,
    ) -> None:
        self.galaxies, self.pixel_scale = galaxies, pixel_scale
        self._prepared = table
        super().__init__(raw_catalog)

    @classmethod
    def from_file(
        cls,
        catalog_files: str | Path,
        *,
        mag_zero: float | None = None,
        pixel_scale: float | None = None,
    ) -> Self:
        """Read a catalogue written by ``galgen mass``.

        Parameters
        ----------
        catalog_files : str or Path
            The catalogue.
        mag_zero : float, optional
            AB magnitude of one flux unit, where the catalogue has none of its own.
        pixel_scale : float, optional
            Arcsec per pixel of the stamps, where they have no common scale of their own.

        Raises
        ------
        InvalidValueError
            If nothing says how bright or how large the galaxies are.
        DataError, CatalogError
            If the file is missing, not a catalogue or damaged.
        """
        with CatalogFile(catalog_files) as catalog:
            scale = pixel_scale_of(catalog, pixel_scale)
            mag_nb = magnitudes(catalog, zero_point_of(catalog, mag_zero))
            columns = {"btk_index": np.arange(len(catalog))}
            columns |= {axis: _degrees(catalog, axis) for axis in ("ra", "dec")}
            columns |= {f"{b}_ab": mag_n for b, mag_n in zip(catalog.bands, mag_nb.T, strict=True)}
            for name in ("GALAXY_ID", "SEED", "CATEGORY_NAME"):
                columns[name] = catalog.column(name)
            table = Table(columns)[np.isfinite(mag_nb).all(1)]
            raw = Table(catalog.table)
        return cls(raw, table, inputs.GalgenCatalog(catalog_files), scale)

    def _prepare_table(self, raw_catalog: Table) -> Table:
        """Return what BTK samples from."""
        return self._prepared


class GalgenGenerator(DrawBlendsGenerator):
    """Blends of the galaxies of a `GalgenCatalog`, each the same galaxy in every band.

    A galaxy is its stamp without sky, neighbours and edges, scaled in each band to the counts of
    its magnitude in the full exposure of the survey's filter, then turned, sheared, convolved with
    the PSF and moved as BTK's own generators do. Of each blend BTK keeps the isolated images.

    Parameters
    ----------
    catalog : GalgenCatalog
        The galaxies.
    sampling_function, surveys
        See `btk.draw_blends.DrawBlendsGenerator`. A survey may only have filters that the galaxies
        have, too: set its `available_filters`.
    **options
        All others of `btk.draw_blends.DrawBlendsGenerator`.

    Raises
    ------
    InvalidValueError
        If a survey has filters that the galaxies do not have.
    """

    compatible_catalogs = ("GalgenCatalog",)

    def _check_compatibility(self, survey: Survey) -> None:
        """Refuse what cannot be drawn."""
        if not isinstance(self.catalog, GalgenCatalog):
            raise InvalidValueError("catalog", type(self.catalog).__name__, "a GalgenCatalog")
        bands = self.catalog.galaxies.bands
        if not set(survey.available_filters) <= set(bands):
            hint = f"Set the survey's available_filters to those of {', '.join(bands)} it has."
            value = survey.available_filters
            raise InvalidValueError(f"filters of {survey.name}", value, ", ".join(bands), hint)

    def render_single(
        self, entry: Row, filt: Filter, psf: galsim.GSObject, survey: Survey
    ) -> galsim.Image | None:
        """Draw one galaxy in one band, alone.

        Parameters
        ----------
        entry : Row
            Of the table of a blend.
        filt : btk.survey.Filter
            The band.
        psf : galsim.GSObject
            Its PSF.
        survey : btk.survey.Survey
            Whose pixels, zero point and exposure are used.

        Returns
        -------
        galsim.Image or None
            Electrons, as large as a stamp of the blend; None if the galaxy cannot be seen in its
            stamp, which ``not_drawn_<band>`` of the entry says, too.
        """
        stamp = self.catalog.galaxies.stamp(int(entry["btk_index"]))
        if stamp is None:
            entry[f"not_drawn_{filt.name}"] = 1
            return None
        # As surveycodex.utilities.mag2counts, which cuts off what is less than an electron.
        rate = flux_ratio(filt.zeropoint.value - float(entry[f"{filt.name}_ab"]))
        flux = rate * filt.full_exposure_time.to_value("s")
        galaxies, scale = self.catalog.galaxies, self.catalog.pixel_scale
        galaxy = profile(stamp, galaxies.bands, scale, band=filt.name, flux=flux)
        galaxy = galaxy.rotate(entry["btk_rotation"] * galsim.degrees)
        if self.apply_shear:
            galaxy = galaxy.shear(g1=entry["g1"], g2=entry["g2"])
        seen = galsim.Convolve(galaxy, psf).shift(entry["ra"], entry["dec"])
        n = self._get_pix_stamp_size(survey)
        return seen.drawImage(nx=n, ny=n, scale=survey.pixel_scale.to_value("arcsec"))


def _degrees(catalog: CatalogFile, axis: str) -> np.ndarray:
    """Right ascension or declination (n,) of a catalogue in degrees, 0 where it has none."""
    for name in catalog.column_names:
        if name.lower() == axis:
            return AngleColumn(catalog, name).degrees(slice(None))
    return np.zeros(len(catalog))
