"""Units as tables spell them, and right ascension and declination in them, numbers or texts."""

from __future__ import annotations

from dataclasses import dataclass

from astropy import units
from astropy.coordinates import Angle

# Units as people write them, where astropy knows another word.
_SPELLINGS = {
    **dict.fromkeys(("degs", "degrees", "ddeg", "d:m:s", "dms", "dd:mm:ss"), "deg"),
    **dict.fromkeys(("rads", "radians"), "rad"),
    **dict.fromkeys(("hourangle", "hour angle", "h:m:s", "hms", "hh:mm:ss"), "hourangle"),
    **dict.fromkeys(("hours", "hr", "hrs"), "h"),
    **dict.fromkeys(("arcsecs", "arcseconds", "asec", '"', "''"), "arcsec"),
    **dict.fromkeys(("arcmins", "arcminutes", "amin"), "arcmin"),
}


def spelled_unit(text: str) -> units.UnitBase:
    """Find a unit as tables spell it.

    Parameters
    ----------
    text : str
        As a table has it, in any case, in quotes or brackets.

    Returns
    -------
    Unit
        One that nothing converts to if it is unknown.
    """
    plain = text.strip(" \"'[]()") or text
    for spelling in (text, plain, _SPELLINGS.get(plain.lower(), plain), plain.lower()):
        unit = units.Unit(spelling, parse_strict="silent")
        if not isinstance(unit, units.UnrecognizedUnit):
            return unit
    return unit


@dataclass(frozen=True)
class SkyAxis:
    """How a column of right ascension or declination is read.

    Attributes
    ----------
    factor : float
        Degrees per unit of its numbers.
    sexagesimal : Unit
        What the first part of its texts such as ``10:00:12.5`` is in.
    """

    factor: float
    sexagesimal: units.UnitBase

    @classmethod
    def of(cls, axis: str, unit: str | None) -> SkyAxis | None:
        """Understand the unit of a column.

        Parameters
        ----------
        axis : {"ra", "dec"}
            Which it is. Hours of right ascension are an angle, those of declination a time.
        unit : str or None
            As the table spells it. Without one numbers are in degrees, and so are the texts of
            declination; those of right ascension with several parts are in hours.

        Returns
        -------
        SkyAxis or None
            None if the unit is none of angles.
        """
        if not unit:
            return cls(1.0, units.hourangle if axis == "ra" else units.deg)
        found = spelled_unit(unit)
        if axis == "ra" and found == units.h:
            found = units.hourangle
        return cls(float(found.to(units.deg)), found) if found.is_equivalent(units.deg) else None

    def degrees(self, text: str) -> float:
        """Read a text, a number or sexagesimal.

        Parameters
        ----------
        text : str
            Such as ``150.05``, ``10:00:12.5``, ``10h00m12.5s`` or ``-1 30 00``.

        Raises
        ------
        ValueError
            If it is no angle.
        """
        try:
            return float(text) * self.factor
        except ValueError:
            return float(Angle(text, self.sexagesimal).deg)
