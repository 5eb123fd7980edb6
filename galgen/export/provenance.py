"""Where galaxies are from, in the header of another tool's file."""

from __future__ import annotations

from astropy.io import fits

from galgen.catalog import CatalogFile

_CARDS = ("REQUEST", "SEED", "MODEL", "MODELVER", "WTSHA256", "FLUXCAL", "TRAINSET", "CREDIT")


def provenance_header(catalog: CatalogFile, command: str) -> fits.Header:
    """Return the cards of a catalogue that say what made its galaxies, and the command as ORIGIN.

    Parameters
    ----------
    catalog : CatalogFile
        The catalogue.
    command : str
        What writes the file, such as 'galgen export realgalaxy'.
    """
    primary = catalog.hdus[0].header
    long_texts = ["LONGSTRN"] if "LONGSTRN" in primary else []
    header = fits.Header([primary.cards[key] for key in (*long_texts, *_CARDS)])
    header["ORIGIN"] = command
    return header
