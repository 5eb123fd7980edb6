"""Check that a catalogue is what its headers say, byte by byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from astropy.io import fits

from galgen.catalog.check.bytes import check_bytes
from galgen.catalog.check.pixels import Pixels
from galgen.catalog.check.rows import Rows
from galgen.catalog.format.parts import Part, galaxies_twice
from galgen.catalog.read.reader import CatalogFile
from galgen.categories.taxonomy import Taxonomy
from galgen.errors import CatalogError

_CHUNK_ROWS = 1 << 16
_CHUNK_STAMPS = 256


@dataclass(frozen=True)
class Report:
    """What `verify` found; prints as text.

    Attributes
    ----------
    path : Path
        The catalogue.
    galaxies, asked : int
        How many are in it, and how many its run was asked for.
    categories : mapping of str to int
        Galaxies of each category present.
    not_measured : mapping of str to int
        NaN values in each column that has some; they are no fault.
    problems : tuple of str
        What is wrong; empty in a good file.
    at_ends : mapping of str to int
        Pixels at the ends of the range of int16, where there are some: they may have been beyond.
    """

    path: Path
    galaxies: int
    asked: int
    categories: Mapping[str, int]
    not_measured: Mapping[str, int]
    problems: tuple[str, ...]
    at_ends: Mapping[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __str__(self) -> str:
        lines = [f"{self.path}: {'good' if self.ok else 'BAD'}"]
        lines += [f"  wrong: {problem}" for problem in self.problems]
        if self.galaxies:
            stopped = "" if self.galaxies == self.asked else f" of {self.asked}, stopped early"
            lines.append(f"  galaxies: {self.galaxies}{stopped}")
        lines += [f"    {name}: {count}" for name, count in self.categories.items()]
        lines += [f"  not measured: {name}: {n}" for name, n in self.not_measured.items()]
        lines += [
            f"  at the ends of its range: {name}: {n} pixels" for name, n in self.at_ends.items()
        ]
        return "\n".join(lines)


def verify_file(path: str | Path) -> Report:
    """Read a whole file and check it.

    Checksums of every HDU; no more columns than FITS allows; the same number of galaxies
    everywhere, none twice; consecutive GALAXY_ID and one SEED, in each part of catalogues put
    together; known categories under their own names; pixels and fluxes that are finite and not
    beyond what galaxies have, where NaN says that most were not detected without noise being in the
    way; nothing after the last HDU. Memory does not depend on the size of the file.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Report
        What is in it, and what is wrong.

    Raises
    ------
    DataError
        If there is no such file.
    """
    try:
        file = CatalogFile(path)
    except CatalogError as error:
        return Report(Path(path), 0, 0, {}, {}, (str(error),))
    with file:
        pixels = Pixels(file.info)
        problems = [*check_bytes(file.path, pixels.look)]
        if file.compressed and not problems:  # CFITSIO may never end with damaged bytes
            problems += _check_compressed(file, pixels)
        problems += pixels.problems()
        problems += _check_taxonomy(file.hdus[0].header, file.info.tree)
        try:
            parts = file.parts
        except CatalogError as error:
            return Report(file.path, len(file), file.info.n, {}, {}, (*problems, str(error)))
        problems += _check_counts(file, parts)
        carried = {column.name for column in file.info.carried}
        table = Rows([name for name in file.column_names if name not in carried], file.info)
        for part in parts:
            table.begin(part.first_id, part.info.seed)
            for start in range(part.start, part.stop, _CHUNK_ROWS):
                table.scan(file.rows[start : min(start + _CHUNK_ROWS, part.stop)], start)
        problems += table.problems()
        names = dict(enumerate(file.info.tree.names))
        counts = {names.get(code, f"code {code}"): n for code, n in sorted(table.codes.items())}
        return Report(
            file.path,
            galaxies=len(file),
            asked=_asked(file),
            categories=counts,
            not_measured={name: n for name, n in table.nans.items() if n},
            problems=tuple(problems),
            at_ends={name: n for name, n in pixels.at_ends.items() if n},
        )


def _asked(file: CatalogFile) -> int:
    """Galaxies that the file was to have."""
    info, header = file.info, file.hdus[0].header
    return info.n if info.per_file is None else min(info.per_file, info.n - header["FIRSTGAL"])


def _check_compressed(file: CatalogFile, pixels: Pixels) -> Iterator[str]:
    """Whether every stamp can be decompressed; what is in them is for `pixels`."""
    for start in range(0, len(file), _CHUNK_STAMPS):
        try:
            pixels.look_at_stamps(file.stamps(slice(start, start + _CHUNK_STAMPS)))
        except OSError as error:
            yield f"stamps from {start} on cannot be decompressed: {error}"
            return


def _check_counts(file: CatalogFile, parts: Sequence[Part]) -> Iterator[str]:
    """Whether there are the galaxies that headers say, and none twice."""
    if len(file) > _asked(file):
        yield f"NGAL is {len(file)}, but only {_asked(file)} galaxies were asked for."
    for part in parts:
        first = part.header.get("FIRSTGAL", 0)
        if part.first_id != first:
            yield f"row {part.start}: GALAXY_ID is {part.first_id}; the first is {first}."
    if twice := galaxies_twice(parts):
        yield f"{twice}."


def _check_taxonomy(header: fits.Header, tree: Taxonomy) -> Iterator[str]:
    """Whether codes have the names that they have in the tree."""
    for category in tree.nodes:
        key = f"CAT{category.code:03d}"
        # Older files have fewer, as categories are appended.
        if key in header and header[key] != category.name:
            yield f"card {key} is {header[key]!r}; category {category.code} is {category.name}."
