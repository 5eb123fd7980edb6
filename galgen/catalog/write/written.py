"""What is in a file under construction: which galaxies, and what its data sum to so far."""

from __future__ import annotations

from dataclasses import dataclass

from galgen.catalog.format import checksum
from galgen.catalog.format.checksum import Sum
from galgen.errors import InvalidValueError

Sums = tuple[Sum, ...]  # what is written of each HDU of a `Layout` adds up to


def added(a: Sums, b: Sums) -> Sums:
    """Add up, HDU by HDU, what different galaxies come to."""
    return tuple(checksum.together(x, y) for x, y in zip(a, b, strict=True))


@dataclass(frozen=True)
class Written:
    """Galaxies written, in any order, as ranges: few, however many galaxies there are.

    Immutable, so that a writer steps from one consistent state to the next in one assignment.

    Attributes
    ----------
    ranges : tuple of (start, stop)
        Rising, neither touching nor overlapping.
    sums : tuple of Sum
        What these galaxies add up to in each HDU.
    """

    ranges: tuple[tuple[int, int], ...]
    sums: Sums

    @property
    def galaxies(self) -> int:
        """How many galaxies are written."""
        return sum(stop - start for start, stop in self.ranges)

    @property
    def prefix(self) -> int:
        """How many are written without a gap, counted from galaxy 0."""
        return self.ranges[0][1] if self.ranges and self.ranges[0][0] == 0 else 0

    def missing(self, n: int) -> tuple[tuple[int, int], ...]:
        """List the ranges of the galaxies 0 to `n` - 1 that are not written."""
        edges = [0, *(edge for done in self.ranges for edge in done), n]
        return tuple((a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b)

    def check_missing(self, start: int, stop: int) -> None:
        """Raise InvalidValueError if any galaxy of a range is written already."""
        for done_start, done_stop in self.ranges:
            if start < done_stop and done_start < stop:
                allowed = f"galaxies outside {done_start}..{done_stop - 1}, which are written"
                raise InvalidValueError("galaxy_id", (start, stop - 1), allowed)

    def add(self, start: int, stop: int, sums: Sums) -> Written:
        """Add one more range; this object stays as it is.

        Raises
        ------
        InvalidValueError
            If any galaxy of it is written already.
        """
        self.check_missing(start, stop)
        merged: list[tuple[int, int]] = []
        for this_start, this_stop in sorted([*self.ranges, (start, stop)]):
            if merged and merged[-1][1] == this_start:
                this_start = merged.pop()[0]
            merged.append((this_start, this_stop))
        return Written(tuple(merged), added(self.sums, sums))
