"""Galaxies of galgen in GalSim: list this module in a configuration, or use it from Python.

::

    modules: [galgen.galsim]
    input:
      galgen_catalog: {file_name: spirals.fits}
    gal:
      type: GalgenGalaxy
      category: barred-spiral
      mag: {type: Random, min: 17, max: 20}
      zeropoint: 28.0
      half_light_radius: {type: Random, min: 0.6, max: 1.5}
      rotate: {type: Random}

It registers the input types ``galgen_catalog`` (`GalgenCatalog`) and ``galgen_model``
(`GalgenModel`), the object type ``GalgenGalaxy`` (`make_galaxy`) and the value type
``GalgenValue``: column `key` of the galaxy drawn, or of galaxy `index`, for truth catalogues.
``rotate``, ``shear``, ``shift`` and the like are GalSim's own.

Profiles are what the stamps show: the PSF and the pixels of the training images are still in them,
unless the weights were trained to make galaxies without that PSF (`galgen.training.intrinsic`).
"""

from __future__ import annotations

from galgen.errors import MissingPackageError

try:
    import galsim  # noqa: F401  so that what is missing is said here
except ImportError as error:
    raise MissingPackageError("GalSim, which galgen.galsim needs,", "galsim", error) from error

from galgen.galsim import config
from galgen.galsim.inputs import GalgenCatalog, GalgenModel
from galgen.galsim.profile import make_galaxy

__all__ = ["GalgenCatalog", "GalgenModel", "make_galaxy"]

config.register()
