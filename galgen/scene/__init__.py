"""Fields of galaxies: an image per band with WCS, PSF and noise, and the truth about them."""

from galgen.scene.field import Field
from galgen.scene.galaxies import CatalogGalaxies, GeneratedGalaxies
from galgen.scene.given import parse_clustering, parse_counts
from galgen.scene.imaging import Imaging
from galgen.scene.listed import explain_sources, read_sources
from galgen.scene.make import make_scene
from galgen.scene.sources import Sources, random_sources

__all__ = [
    "CatalogGalaxies",
    "Field",
    "GeneratedGalaxies",
    "Imaging",
    "Sources",
    "explain_sources",
    "make_scene",
    "parse_clustering",
    "parse_counts",
    "random_sources",
    "read_sources",
]
