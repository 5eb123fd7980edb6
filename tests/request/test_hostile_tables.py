"""Tables that say, or unpack to, far more than they have: refused before memory is taken."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from galgen.errors import DataError
from galgen.request.table import InputTable
from galgen.scene.psf import parse_psf
from tests.hostile import fits_header
from tests.patience import patience

MEMORY = 1 << 30
_CSV = b"ra,dec\n" + (1 << 22) * b"1,2\n1,2\n1,2\n1,2\n"
_FITS = fits_header(SIMPLE=True, BITPIX=8, NAXIS=1, NAXIS1=600 << 20)


def _votable(fields: str, rows: str, table: str = "") -> bytes:
    text = (
        '<?xml version="1.0"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f"<RESOURCE><TABLE {table}>{fields}<DATA>{rows}</DATA></TABLE></RESOURCE></VOTABLE>"
    )
    return text.encode()


_FIELD = '<FIELD name="a" datatype="float" {}/>'
_ROWS = "<TABLEDATA><TR><TD>1</TD></TR></TABLEDATA>"
BOMBS: dict[str, tuple[bytes, str]] = {
    "a.csv.gz": (gzip.compress(_CSV, 1), "grows to more than"),
    "a.csv.bz2": (bz2.compress(_CSV), "grows to more than"),
    "a.csv.xz": (lzma.compress(_CSV, preset=0), "grows to more than"),
    "a.ecsv.gz": (gzip.compress(b"# %ECSV 1.0\n" + _CSV, 1), "grows to more than"),
    "a.vot.gz": (gzip.compress(b"<VOTABLE>" + _CSV, 1), "grows to more than"),
    "a.fits.gz": (gzip.compress(_FITS + bytes(300 << 20), 1), "grows to more than"),
    "gzip.fits": (gzip.compress(_FITS + bytes(300 << 20), 1), "grows to more than"),
    "rows.vot": (_votable(_FIELD.format(""), _ROWS, 'nrows="100000000000"'), "100000000000 rows"),
    "text.vot": (
        _votable('<FIELD name="a" datatype="char" arraysize="99999999"/>', _ROWS),
        "1 rows of 99999999 values",
    ),
    "shape.vot": (_votable(_FIELD.format('arraysize="9999x9999x99"'), _ROWS), "would take"),
    "elsewhere.vot": (
        _votable(_FIELD.format(""), '<BINARY><STREAM href="file:///dev/zero"/></BINARY>'),
        "its values are not in it",
    ),
}


@contextmanager
def little_memory() -> Iterator[None]:
    """Let a block take little memory, and little time."""
    tracemalloc.start()
    with patience():
        yield
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < MEMORY


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused(tmp_path: Path, name: str) -> None:
    content, match = BOMBS[name]
    path = tmp_path / name
    path.write_bytes(content)
    with little_memory(), pytest.raises(DataError, match=match) as caught:
        InputTable(path)
    assert str(caught.value).startswith(str(path))


def _many_rows(path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    constant = pa.array(np.zeros(1 << 20), pa.float64())
    table = pa.table({"a": pa.chunked_array([constant] * 40)})
    parquet.write_table(table, path, compression="zstd")


def _long_text(path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    texts = pa.array(["x" * 100_000, *(["y"] * 1000)])
    parquet.write_table(pa.table({"a": texts}), path, compression="zstd")


@pytest.mark.parametrize("write", [_many_rows, _long_text])
def test_parquet(tmp_path: Path, write: Callable[[Path], None]) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    write(path)
    with patience(), pytest.raises(DataError, match=r"a\.parquet.* would take"):
        InputTable(path).raw("a")


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress])
def test_honest_tables_are_read_packed(tmp_path: Path, packed: Callable[[bytes], bytes]) -> None:
    """Of numbers, and of one value in all rows."""
    table = Table({"ra": np.linspace(0, 1, 2000), "flag": np.zeros(2000, int)})
    table.write(tmp_path / "a.csv")
    (tmp_path / "a.csv.packed").write_bytes(packed((tmp_path / "a.csv").read_bytes()))
    assert len(InputTable(tmp_path / "a.csv.packed")) == 2000


@pytest.mark.parametrize("size", [400 << 20, 0])
def test_psf(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.fits"
    header = fits_header(SIMPLE=True, BITPIX=8, NAXIS=2, NAXIS1=20001, NAXIS2=20001)
    path.write_bytes(gzip.compress(header + bytes(size), 1) if size else header)
    with little_memory(), pytest.raises(DataError, match=r"a\.fits"):
        parse_psf(str(path), 0.2)
