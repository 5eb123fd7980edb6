"""The types that galgen adds to GalSim's configuration files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import galsim
from galsim import config as gsc

from galgen.errors import GalgenError
from galgen.galsim.inputs import GalgenCatalog, GalgenModel
from galgen.galsim.profile import profile

INPUTS = {"galgen_catalog": GalgenCatalog, "galgen_model": GalgenModel}
GALAXY = "GalgenGalaxy"
VALUE = "GalgenValue"

_DRAWN = "_galgen_drawn"  # key of the configuration: number of the object, its input, its row
_WHICH = {"index": int, "category": str}
_OPTIONS = {
    "band": str,
    "ref_band": str,
    "flux": float,
    "mag": float,
    "zeropoint": float,
    "half_light_radius": float,
    "pixel_scale": float,
}
_NUMBERS = {"file_num": "file", "image_num": "image", "obj_num": "object"}

Config = dict[str, Any]


def register() -> None:
    """Register galgen's types with GalSim."""
    for name, kind in INPUTS.items():
        gsc.RegisterInputType(name, gsc.InputLoader(kind))
    gsc.RegisterObjectType(GALAXY, _build, input_type=list(INPUTS))
    # None: in a truth catalogue GalSim does not know which type to expect.
    gsc.RegisterValueType(VALUE, _value, [None, float, int, str], input_type=list(INPUTS))


def _build(
    config: Config, base: Config, ignore: list[str], gsparams: Config, logger: logging.Logger
) -> tuple[galsim.GSObject, bool]:
    """Build a ``GalgenGalaxy``; a galaxy that cannot be seen is left out of the scene."""
    with _context(GALAXY, base):
        galaxies = _input(config, base, GALAXY)
        category = (
            gsc.ParseValue(config, "category", base, str)[0] if "category" in config else None
        )
        gsc.SetDefaultIndex(config, galaxies.count(category))
        index = gsc.ParseValue(config, "index", base, int)[0]
        row = galaxies.row(index, category)
        # Before the other parameters, which may be values of this galaxy.
        base[_DRAWN] = base.get("obj_num"), galaxies, row
        options, _ = gsc.GetAllParams(config, base, opt=_WHICH | _OPTIONS, ignore=[*ignore, "num"])
        options = {name: options[name] for name in _OPTIONS if name in options}
        if gsparams:
            options["gsparams"] = galsim.GSParams(**gsparams)
        stamp = galaxies.stamp(row)
        if stamp is None:
            message = f"{GALAXY} {row} cannot be seen in its stamp."
            logger.warning("Object left out: %s", message)
            raise gsc.SkipThisObject(message)
        # Never safe to be used again without coming here, or values would be of another galaxy.
        return profile(stamp, galaxies.bands, galaxies.pixel_scale, **options), False


def _value(config: Config, base: Config, value_type: type | None) -> tuple[float | int | str, bool]:
    """Find a ``GalgenValue``: of a galaxy by its index, or of the one drawn for this object."""
    with _context(VALUE, base):
        # A category alone would not say which galaxy.
        needed = {"key": str} | ({"index": int} if "category" in config else {})
        options, safe = gsc.GetAllParams(config, base, req=needed, opt=_WHICH, ignore=["num"])
        key = options.pop("key")
        if options:
            galaxies = _input(config, base, VALUE)
            return galaxies.value(key, galaxies.row(**options)), safe
        obj_num, galaxies, row = base.get(_DRAWN, (None, None, None))
        if galaxies is None or obj_num != base.get("obj_num"):
            raise galsim.GalSimConfigError(
                f"{VALUE} needs an index here: no {GALAXY} has been drawn for this object yet."
            )
        return galaxies.value(key, row), False


def _input(config: Config, base: Config, user: str) -> GalgenCatalog | GalgenModel:
    """Return the one input object of galgen that a configuration has."""
    given = [name for name in INPUTS if name in base.get("_input_objs", {})]
    if len(given) > 1:
        raise galsim.GalSimConfigError(f"{user} needs one input: {' or '.join(given)}.")
    kind = given[0] if given else next(iter(INPUTS))
    galaxies: GalgenCatalog | GalgenModel = gsc.GetInputObj(kind, config, base, user)
    return galaxies


@contextmanager
def _context(user: str, base: Config) -> Iterator[None]:
    """Say of galgen's errors where in the configuration they come from."""
    try:
        yield
    except GalgenError as error:
        where = ", ".join(f"{n} {base[key]}" for key, n in _NUMBERS.items() if key in base)
        error.add_note(f"In the GalSim configuration: type {user} ({where}).")
        raise
