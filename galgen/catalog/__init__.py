"""The catalogue file: one table of galaxies and one cube of stamps per band, in FITS."""

from galgen.catalog.check.catalog import verify
from galgen.catalog.check.file import Report
from galgen.catalog.read.reader import CatalogFile
from galgen.catalog.write.finishing import finish, is_finished
from galgen.catalog.write.writer import CatalogWriter, write_catalog

__all__ = [
    "CatalogFile",
    "CatalogWriter",
    "Report",
    "finish",
    "is_finished",
    "verify",
    "write_catalog",
]
