"""Check that a catalogue is what its headers say, byte by byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits

from galgen.catalog.format import checksum
from galgen.catalog.format.hdus import RawHdu, raw_hdus
from galgen.catalog.format.headers import stamps_name
from galgen.catalog.format.stamps import HIGHEST, LOWEST, PIXEL_TYPES, at_ends, decode
from galgen.catalog.read.reader import CatalogFile
from galgen.categories.taxonomy import Taxonomy
from galgen.errors import CatalogError

_CHUNK_BYTES = 1 << 22
_CHUNK_ROWS = 1 << 16
_CHUNK_STAMPS = 256
_MAX_REPEATS = 3  # the same complaint about further rows is only counted


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

    Checksums of every HDU; the same number of galaxies everywhere; consecutive GALAXY_ID and one
    SEED, in each part of catalogues put together; known categories under their own names; finite
    stamps; nothing after the last HDU. Memory does not depend on the size of the file.

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
        at_ends: Counter[str] = Counter()
        problems = [*_check_bytes(file, at_ends)]
        if file.compressed and not problems:  # CFITSIO may never end with damaged bytes
            problems += _check_compressed(file, at_ends)
        problems += _check_taxonomy(file.hdus[0].header, file.info.tree)
        try:
            parts = file.parts
        except CatalogError as error:
            return Report(file.path, len(file), file.info.n, {}, {}, (*problems, str(error)))
        carried = {column.name for column in file.info.carried}
        ours = [name for name in file.column_names if name not in carried]
        table = _Table(ours, file.info.tree)
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
            at_ends={name: n for name, n in at_ends.items() if n},
        )


def _asked(file: CatalogFile) -> int:
    """Galaxies that the file was to have."""
    info, header = file.info, file.hdus[0].header
    return info.n if info.per_file is None else min(info.per_file, info.n - header["FIRSTGAL"])


def _check_bytes(file: CatalogFile, ends: Counter[str]) -> Iterator[str]:
    """Everything that needs all bytes, in one pass; pixels at the ends of int16 are counted."""
    stored = PIXEL_TYPES[file.info.stamps]
    with file.path.open("rb") as raw:
        for hdu in raw_hdus(file.path):
            plain = hdu.name.startswith("STAMPS_") and not hdu.header.get("ZIMAGE")
            pixel = stored if plain else None
            raw.seek(hdu.start)
            header_sum = checksum.sum_bytes(raw.read(hdu.data_start - hdu.start))
            datasum = not_finite = 0
            left = hdu.stop - hdu.data_start
            while left:
                chunk = raw.read(min(left, _CHUNK_BYTES))
                if not chunk:
                    yield f"{hdu.name}: the file ends {left} bytes early."
                    return
                left -= len(chunk)
                datasum = checksum.add(datasum, checksum.sum_bytes(chunk))
                if pixel is not None and file.info.scaling:
                    ends[hdu.name] += at_ends(np.frombuffer(chunk, pixel))
                elif pixel is not None:
                    not_finite += int((~np.isfinite(np.frombuffer(chunk, pixel))).sum())
            yield from _check_sums(hdu, header_sum, datasum)
            if not_finite:
                yield f"{hdu.name}: {not_finite} pixels are not finite."
        if extra := len(raw.read(1)):
            extra += file.path.stat().st_size - raw.tell()
            yield f"{extra} bytes follow the last extension."


def _check_compressed(file: CatalogFile, ends: Counter[str]) -> Iterator[str]:
    """Whether every stamp can be decompressed, to finite pixels."""
    not_finite, codes = 0, np.array([LOWEST, HIGHEST])
    for start in range(0, len(file), _CHUNK_STAMPS):
        try:
            stamps_nbhw = file.stamps(slice(start, start + _CHUNK_STAMPS))
            not_finite += int((~np.isfinite(stamps_nbhw)).sum())
            for i, scaling in enumerate(file.info.scaling):
                of_band = np.isin(stamps_nbhw[:, i], decode(codes, *scaling))
                ends[stamps_name(file.bands[i])] += int(of_band.sum())
        except OSError as error:
            yield f"stamps from {start} on cannot be decompressed: {error}"
            return
    if not_finite:
        yield f"{not_finite} pixels are not finite."


def _check_sums(hdu: RawHdu, header_sum: int, datasum: int) -> Iterator[str]:
    """Whether an HDU has checksums, and they are those of its bytes."""
    stored = hdu.header.get("DATASUM")
    if stored is None or "CHECKSUM" not in hdu.header:
        yield f"{hdu.name}: has no checksums."
        return
    if stored != str(datasum):
        yield f"{hdu.name}: the data sum to {datasum}, but DATASUM is {stored}: they have changed."
    if checksum.add(header_sum, datasum) not in (0, checksum.ALL_ONES):
        yield f"{hdu.name}: CHECKSUM does not hold: the header or the data have changed."


def _check_taxonomy(header: fits.Header, tree: Taxonomy) -> Iterator[str]:
    """Whether codes have the names that they have in the tree."""
    for category in tree.nodes:
        key = f"CAT{category.code:03d}"
        # Older files have fewer, as categories are appended.
        if key in header and header[key] != category.name:
            yield f"card {key} is {header[key]!r}; category {category.code} is {category.name}."


class _Table:
    """What is counted and complained about while going through the rows."""

    def __init__(self, names: Sequence[str], tree: Taxonomy) -> None:
        self._names = names  # of the columns that are ours
        self._categories = {node.code: node.name.encode() for node in tree.nodes}
        self.codes: Counter[int] = Counter()
        self.nans: Counter[str] = Counter()
        self._bad: Counter[str] = Counter()
        self._examples: list[str] = []
        self._next_id = self._seed = 0

    def begin(self, first_id: int, seed: int) -> None:
        """Expect rows of another run from now on."""
        self._next_id, self._seed = first_id, seed

    def scan(self, rows: np.ndarray, start: int) -> None:
        """Look at rows `start` onwards."""
        ids, seed = rows["GALAXY_ID"], self._seed
        expected = np.arange(self._next_id, self._next_id + len(rows))
        self._next_id += len(rows)
        self._complain("GALAXY_ID is not consecutive", start, ids != expected, ids)
        self._complain("SEED is not that of the header", start, rows["SEED"] != seed, rows["SEED"])
        names = self._categories
        for code, count in zip(*np.unique(rows["CATEGORY"], return_counts=True), strict=True):
            self.codes[int(code)] += int(count)
            of_code = rows["CATEGORY"] == code
            if int(code) not in names:
                self._complain("CATEGORY is not in the taxonomy", start, of_code, rows["CATEGORY"])
                continue
            wrong = of_code & (rows["CATEGORY_NAME"] != names[int(code)])
            self._complain(
                "CATEGORY_NAME is not that of CATEGORY", start, wrong, rows["CATEGORY_NAME"]
            )
        for name in self._names:
            if rows.dtype[name].kind == "f":
                self.nans[name] += int(np.isnan(rows[name]).sum())

    def _complain(self, what: str, start: int, wrong: np.ndarray, values: np.ndarray) -> None:
        """Note which rows, from `start` on, are wrong, and what is there."""
        for row in np.flatnonzero(wrong)[: max(0, _MAX_REPEATS - self._bad[what])]:
            self._examples.append(f"row {start + row}: {what}: {values[row]}.")
        self._bad[what] += int(wrong.sum())

    def problems(self) -> list[str]:
        """Return one line per complaint, the first few with their row."""
        more = [f"{what}: in {n} rows." for what, n in self._bad.items() if n > _MAX_REPEATS]
        return self._examples + more
