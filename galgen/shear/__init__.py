"""A receipt for shear: how well a known shear is measured of galaxies, beside real ones.

::

    from galgen.galsim import GalgenModel
    from galgen.shear import Design, shear_test

    galaxies = GalgenModel(500, "spiral:0.6,smooth:0.4", seed=1)
    receipt = shear_test(galaxies, "galaxies64-train.zip", Design(snr=(40,)), unseen=True)
    print(receipt.table())

It needs GalSim (extra ``galsim``).
"""

import galgen.galsim  # noqa: F401  so that a missing GalSim is said there
from galgen.shear.bias import Bias
from galgen.shear.design import Design
from galgen.shear.report import Receipt, Result
from galgen.shear.run import shear_test

__all__ = ["Bias", "Design", "Receipt", "Result", "shear_test"]
