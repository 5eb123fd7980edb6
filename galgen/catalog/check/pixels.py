"""The pixels of a catalogue: finite, and such as galaxies have."""

from __future__ import annotations

from collections import Counter

import numpy as np

from galgen.catalog.format.hdus import RawHdu
from galgen.catalog.format.headers import stamps_name
from galgen.catalog.format.stamps import HIGHEST, LOWEST, PIXEL_TYPES, at_ends, decode
from galgen.pixels.units import flux_ratio
from galgen.runinfo import RunInfo

_NOT_CALIBRATED = 1e12


def most_flux(info: RunInfo) -> float:
    """Flux that no galaxy has: that of AB magnitude 0, or 10^12 where there are no magnitudes."""
    return _NOT_CALIBRATED if info.zero_point is None else flux_ratio(info.zero_point)


class Pixels:
    """Counts what is wrong with stamps while they are read.

    Parameters
    ----------
    info : RunInfo
        The run.

    Attributes
    ----------
    at_ends : Counter
        Pixels at the ends of the range of int16, by extension.
    """

    def __init__(self, info: RunInfo) -> None:
        self._info, self._most = info, most_flux(info)
        self._scaling = dict(zip(map(stamps_name, info.bands), info.scaling, strict=False))
        self.at_ends: Counter[str] = Counter()
        self._not_finite: Counter[str] = Counter()
        self._absurd: Counter[str] = Counter()

    def look(self, hdu: RawHdu, data: bytes) -> None:
        """Look at a piece of an HDU as it is in the file, if it has stamps that can be seen."""
        pixel = PIXEL_TYPES[self._info.stamps]
        if pixel is None or not hdu.name.startswith("STAMPS_") or hdu.header.get("ZIMAGE"):
            return
        values = np.frombuffer(data, pixel)
        if scaling := self._scaling.get(hdu.name):
            self.at_ends[hdu.name] += at_ends(values)
            if max(np.abs(decode(np.array([LOWEST, HIGHEST]), *scaling))) > self._most:
                self._count(hdu.name, decode(values, *scaling))
        else:
            self._count(hdu.name, values)

    def look_at_stamps(self, stamps_nbhw: np.ndarray) -> None:
        """Look at stamps that have been decompressed."""
        codes = np.array([LOWEST, HIGHEST])
        for i, name in enumerate(map(stamps_name, self._info.bands)):
            if scaling := self._scaling.get(name):
                self.at_ends[name] += int(np.isin(stamps_nbhw[:, i], decode(codes, *scaling)).sum())
            self._count(name, stamps_nbhw[:, i])

    def _count(self, name: str, flux: np.ndarray) -> None:
        """Count pixels that no galaxy has."""
        bad = ~(np.abs(flux) <= self._most)
        if bad.any():
            not_finite = int((~np.isfinite(flux)).sum())
            self._not_finite[name] += not_finite
            self._absurd[name] += int(bad.sum()) - not_finite

    def problems(self) -> list[str]:
        """Return one line per extension and complaint."""
        wrong = [f"{name}: {n} pixels are not finite." for name, n in self._not_finite.items() if n]
        return wrong + [
            f"{name}: {n} pixels are beyond {self._most:.3g} {self._info.flux_unit}, which no "
            "galaxy has."
            for name, n in self._absurd.items()
            if n
        ]
