"""Measurement of galaxy stamps: catalogue columns, structure and conditioning properties."""

from galgen.columns import Column
from galgen.measure.columns import measured_columns, truth_columns
from galgen.measure.conditions import properties, property_names
from galgen.measure.core import ZERO_POINT, measure
from galgen.measure.structure import structure, structure_columns
from galgen.measure.surroundings import surroundings

__all__ = [
    "ZERO_POINT",
    "Column",
    "measure",
    "measured_columns",
    "properties",
    "property_names",
    "structure",
    "structure_columns",
    "surroundings",
    "truth_columns",
]
