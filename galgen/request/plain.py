"""Tables of astropy as plain columns: Time, SkyCoord and other mixins become numbers and texts."""

from __future__ import annotations

from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.table.serialize import represent_mixins_as_columns
from astropy.utils.data_info import serialize_context_as


def plain_table(table: Table) -> Table:
    """Return a table without mixins.

    Parameters
    ----------
    table : Table
        Any. Dates become what they are in their own format (MJD, ISO 8601, ...), coordinates a
        column for each angle, called as in its frame (``ra``, ``dec``), or, if that name is taken,
        with the name of the coordinates in front (``coord_ra``).

    Returns
    -------
    Table
        Of `Column` and `MaskedColumn` only.
    """
    mixins = [name for name in table.colnames if not hasattr(table[name], "parent_table")]
    if not mixins:
        return table
    described = {name: table[name].info.description for name in mixins}
    coordinates = {name for name in mixins if isinstance(table[name], SkyCoord)}
    with serialize_context_as("ecsv"):  # numbers of dates as they are, not two of them
        plain = represent_mixins_as_columns(table)
    taken = {name.lower() for name in plain.colnames}
    for name in plain.colnames:
        mixin, dot, part = name.partition(".")
        plain[name].description = plain[name].description or described.get(mixin)
        if dot and mixin in mixins:
            free = mixin in coordinates and part.lower() not in taken
            new = part if free else name.replace(".", "_")
            plain.rename_column(name, new)
            taken.add(new.lower())
    return plain
