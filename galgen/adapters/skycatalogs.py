"""Galaxies as an object type of skyCatalogs, which imSim reads: name this module in its YAML file.

::

    object_types:
      galgen_galaxy:
        module: galgen.adapters.skycatalogs
        file_name: galaxies.fits  # in the folder of the catalogue
        area_partition: None

An object has a component for each band of the catalogue: the galaxy's light in that band, with a
spectrum that is all but 0 outside of it. So an image in any band shows the galaxy as it is there.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np

from galgen.errors import InvalidValueError, MissingPackageError

try:
    from skycatalogs.objects.base_object import (
        LSST_BANDS,
        BaseObject,
        ObjectCollection,
        load_lsst_bandpasses,
    )
except ImportError as error:
    raise MissingPackageError(
        "skyCatalogs, which galgen.adapters.skycatalogs needs,", "skycatalogs", error
    ) from error

import galsim

from galgen.catalog import CatalogFile
from galgen.export.lensing import lens_of
from galgen.export.positions import Positions
from galgen.export.scales import magnitudes, pixel_scale_of, zero_point_of
from galgen.galsim import inputs
from galgen.galsim.profile import profile
from galgen.pixels.units import flux_ratio

_SHORTEST, _LONGEST = 250.0, 1250.0  # nm, every filter of Rubin and beyond
_STEP = 1e-3  # nm, within which a component's spectrum begins and ends
_DARK = 1e-9  # of the light of a component: GalSim draws none that has no light in a filter
_AB_0 = 3631e-23 / 6.62607015e-27  # photons / s / cm^2 per unit of ln(lambda): f_nu / h


def register_objects(sky_catalog: Any, object_type: str) -> None:
    """Register an object type of a `skycatalogs.skyCatalogs.SkyCatalog`, which calls this."""
    sky_catalog.cat_cxt.register_source_type(
        object_type,
        object_class=GalgenObject,
        collection_class=GalgenCollection,
        custom_load=True,
    )


class _Galaxies:
    """What is read of a catalogue once: galaxies with flux in every band."""

    def __init__(self, path: Path, pixel_scale: float | None, mag_zero: float | None) -> None:
        self.stamps = inputs.GalgenCatalog(path)
        self.bands = self.stamps.bands
        with CatalogFile(path) as catalog:
            if not set(self.bands) <= set(LSST_BANDS):
                raise InvalidValueError(f"bands of {path}", self.bands, ", ".join(LSST_BANDS))
            self.scale = pixel_scale_of(catalog, pixel_scale)
            mag_nb = magnitudes(catalog, zero_point_of(catalog, mag_zero))
            self.row_n = np.flatnonzero(np.isfinite(mag_nb).all(1))
            positions = Positions(catalog, None, None)
            parts = enumerate(catalog.parts)
            places = [positions.of(i, part, part.start, part.stop) for i, part in parts]
            self.ra_n, self.dec_n = (
                np.concatenate(axis)[self.row_n] for axis in zip(*places, strict=True)
            )
            self.lens = lens_of(catalog, self.row_n)
            one_run = len(catalog.parts) == 1  # of several, GALAXY_ID may be there more than once
            self.id_n = catalog.column("GALAXY_ID")[self.row_n] if one_run else self.row_n
        bandpasses = load_lsst_bandpasses()
        self._spectra = _spectra(self.bands, bandpasses)
        fluxes = [
            [spectrum.calculateFlux(bandpasses[band]) for spectrum in self._spectra]
            for band in self.bands
        ]
        flat = galsim.SED(lambda nm: _AB_0 / nm, "nm", "fphotons")
        of_mag_0 = np.array([flat.calculateFlux(bandpasses[band]) for band in self.bands])
        # Filters overlap: the components together have the flux of each magnitude.
        flux_nb = of_mag_0 * flux_ratio(-mag_nb[self.row_n])
        level_nb = np.linalg.solve(np.array(fluxes), flux_nb.T).T
        # Of colours beyond those of any galaxy, what overlaps may be more than all of a band.
        self._level_nb = np.maximum(level_nb, _DARK * level_nb.max(1, keepdims=True))

    def profiles(self, index: int, gsparams: galsim.GSParams | None) -> dict[str, galsim.GSObject]:
        """Make the light of a galaxy in each band, of flux 1; none if it cannot be seen."""
        stamp = self.stamps.stamp(int(self.row_n[index]))
        if stamp is None:
            return {}
        g = complex(self.lens.g_n[index])
        mu = float(self.lens.magnification[index])
        return {
            band: profile(stamp, self.bands, self.scale, band=band, gsparams=gsparams)
            .lens(g.real, g.imag, mu)
            .withFlux(1.0)
            for band in self.bands
        }

    def spectrum(self, index: int, band: str) -> galsim.SED:
        """Make the spectrum of a galaxy's component."""
        number = self.bands.index(band)
        return self._spectra[number] * float(self._level_nb[index, number])


@lru_cache(8)
def _opened(path: Path, pixel_scale: float | None, mag_zero: float | None) -> _Galaxies:
    """Read a catalogue once in each process."""
    return _Galaxies(path, pixel_scale, mag_zero)


def _spectra(bands: tuple[str, ...], bandpasses: dict[str, galsim.Bandpass]) -> list[galsim.SED]:
    """Spectra of AB magnitude 0, each from half-way to one neighbouring band to the other."""
    middle = [bandpasses[band].effective_wavelength for band in bands]
    inner = [(a + b) / 2 for a, b in pairwise(middle)]
    edges = [_SHORTEST, *inner, _LONGEST]
    spectra = []
    for low, high in pairwise(edges):
        nm = np.linspace(low + _STEP, high - _STEP, max(2, round(high - low)))
        wavelength = np.array([_SHORTEST - _STEP, low, *nm, high, _LONGEST + _STEP])
        photons = _AB_0 / wavelength
        photons[[0, 1, -2, -1]] *= _DARK
        table = galsim.LookupTable(wavelength, photons, interpolant="linear")
        spectra.append(galsim.SED(table, "nm", "fphotons"))
    return spectra


class GalgenCollection(ObjectCollection):
    """The galaxies of a catalogue that are in a region of the sky.

    Parameters
    ----------
    galaxies : object
        What was read of the catalogue.
    index_n : ndarray (n,) of int
        Which of its galaxies.
    object_type : str
        Their name in skyCatalogs' YAML file.
    sky_catalog : skycatalogs.skyCatalogs.SkyCatalog
        The catalogue of catalogues.
    region, mjd
        See `skycatalogs.objects.base_object.ObjectCollection`.
    """

    def __init__(
        self,
        galaxies: _Galaxies,
        index_n: np.ndarray,
        object_type: str,
        sky_catalog: Any,
        region: Any,
        mjd: float | None,
    ) -> None:
        self.galaxies, self.index_n = galaxies, index_n
        ids = [str(i) for i in galaxies.id_n[index_n].tolist()]
        place = galaxies.ra_n[index_n], galaxies.dec_n[index_n]
        more = {"region": region, "mjd": mjd, "readers": []}
        super().__init__(*place, ids, object_type, None, sky_catalog, **more)

    @classmethod
    def load_collection(
        cls,
        region: Any,
        skycatalog: Any,
        mjd: float | None = None,
        exposure: float | None = None,
        object_type: str = "galgen_galaxy",
    ) -> Self:
        """Find the galaxies in a region; skyCatalogs calls this.

        Parameters
        ----------
        region : skycatalogs.utils.shapes.Region
            Part of the sky.
        skycatalog : skycatalogs.skyCatalogs.SkyCatalog
            The catalogue of catalogues, whose configuration names the file.
        mjd, exposure : float, optional
            When, and how long: galaxies do not change.
        object_type : str
            Their name in the configuration.

        Raises
        ------
        InvalidValueError
            If the configuration names no file, its bands are none of Rubin's, or nothing says where
            galaxies are, how large or how bright.
        DataError, CatalogError
            If the file is missing, not a catalogue or damaged.
        """
        config = skycatalog.raw_config["object_types"][object_type]
        if not config.get("file_name"):
            raise InvalidValueError(f"file_name of {object_type}", None, "a catalogue of galgen")
        path = Path(skycatalog._cat_dir) / config["file_name"]
        galaxies = _opened(path, config.get("pixel_scale"), config.get("mag_zero"))
        outside_n = region.compute_mask(galaxies.ra_n, galaxies.dec_n)
        inside = np.flatnonzero(~np.asarray(outside_n, bool))
        return cls(galaxies, inside, object_type, skycatalog, region, mjd)

    def row(self, index: int) -> int:
        """Return which galaxy of the catalogue one of the collection is."""
        return int(self.index_n[index])

    @property
    def subcomponents(self) -> list[str]:
        """Bands of the galaxies."""
        return list(self.galaxies.bands)


class GalgenObject(BaseObject):
    """One galaxy, a component for each band."""

    def get_gsobject_components(
        self, gsparams: dict[str, float] | None = None, rng: Any = None, exposure: Any = None
    ) -> dict[str, galsim.GSObject]:
        """Make its light in each band, sheared and magnified, of flux 1.

        Parameters
        ----------
        gsparams : dict, optional
            GalSim's settings of accuracy.
        rng, exposure
            Of other object types.
        """
        params = None if gsparams is None else galsim.GSParams(**gsparams)
        collection: GalgenCollection = self._belongs_to
        return collection.galaxies.profiles(collection.row(self._belongs_index), params)

    def get_observer_sed_component(self, component: str, mjd: float | None = None) -> galsim.SED:
        """Make the spectrum of the component of a band, photons / nm / s / cm^2.

        Magnitudes are as observed: there is no extinction, and no redshift, to be added.
        """
        collection: GalgenCollection = self._belongs_to
        return collection.galaxies.spectrum(collection.row(self._belongs_index), component)
