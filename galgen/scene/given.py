"""Number counts and clustering as users give them: numbers with commas, or a table."""

from __future__ import annotations

from galgen.errors import InvalidValueError
from galgen.request.table import InputTable
from galgen.scene.clustering import Clustering, PowerLawClustering, TabulatedClustering
from galgen.scene.counts import Counts, PowerLaw, Tabulated


def parse_counts(text: str) -> Counts:
    """Understand number counts.

    Parameters
    ----------
    text : str
        ``46,0.31,25`` (see `galgen.scene.counts.PowerLaw`), or a file (see `Tabulated`).

    Raises
    ------
    InvalidValueError, DataError
        If it is neither, or values are out of range.
    """
    match _numbers("counts", text, "DENSITY,SLOPE,MAG"):
        case [density, slope, mag]:
            return PowerLaw(density, slope, mag)
    return Tabulated.read(InputTable(text))


def parse_clustering(text: str) -> Clustering:
    """Understand a two-point function.

    Parameters
    ----------
    text : str
        ``0.004,0.7`` (see `galgen.scene.clustering.PowerLawClustering`), or a file (see
        `TabulatedClustering`).

    Raises
    ------
    InvalidValueError, DataError
        If it is neither, or values are out of range.
    """
    match _numbers("clustering", text, "AMPLITUDE,GAMMA"):
        case [amplitude, gamma]:
            return PowerLawClustering(amplitude, gamma)
    return TabulatedClustering.read(InputTable(text))


def _numbers(name: str, text: str, form: str) -> list[float]:
    """Return numbers of a form, none where the text does not begin with one."""
    parts = text.split(",")
    try:
        float(parts[0])
    except ValueError:
        return []
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != len(form.split(",")):
        raise InvalidValueError(name, text, f"{form}, or the name of a table")
    return numbers
