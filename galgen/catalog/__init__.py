"""The catalogue file: one table of galaxies and one cube of stamps per band, in FITS."""

from galgen.catalog.check import verify
from galgen.catalog.finishing import finish, is_finished
from galgen.catalog.reader import CatalogFile
from galgen.catalog.verify import Report
from galgen.catalog.writer import CatalogWriter, write_catalog

__all__ = [
    "CatalogFile",
    "CatalogWriter",
    "Report",
    "finish",
    "is_finished",
    "verify",
    "write_catalog",
]
