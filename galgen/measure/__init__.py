"""Measurement of galaxy stamps: catalogue columns, conditioning properties and their schema."""

from galgen.measure.columns import (
    Column,
    measured_columns,
    properties,
    property_names,
    truth_columns,
)
from galgen.measure.core import ZERO_POINT, measure

__all__ = [
    "ZERO_POINT",
    "Column",
    "measure",
    "measured_columns",
    "properties",
    "property_names",
    "truth_columns",
]
