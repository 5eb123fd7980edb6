"""The seal of an HDU: cards that say what its bytes are, so that any change of them is seen.

``DATASUM`` and ``CHECKSUM`` are those of FITS. ``DATACRC`` is the CRC-32 of the data, padding
included, and ``HEADCRC`` that of the header with zeros for the values of ``HEADCRC`` and
``CHECKSUM``, both in hexadecimal: unlike sums, they see what has changed places. In a compressed
image they are ``ZDATACRC`` and ``ZHEADCRC``: other programs, which copy cards that they do not know
from an image to the table it is compressed to and back, then make none that is wrong. Where another
program has changed an HDU and brought ``CHECKSUM`` up to date, that is all there is to go by.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from astropy.io import fits

from galgen.catalog.format import checksum

# With their comments; in the order of the file.
CARDS = {
    "CHECKSUM": "of this HDU",
    "DATASUM": "of its data",
    "DATACRC": "CRC-32 of its data",
    "HEADCRC": "of its header, HEADCRC, CHECKSUM all 0",
}
# The CRCs' names in a compressed image.
COMPRESSED = {"DATACRC": "ZDATACRC", "HEADCRC": "ZHEADCRC"}
_CARD = 80
_OF_ANOTHER = "HDU checksum updated"  # how the comments of CFITSIO and astropy begin
_ZEROS = {"CHECKSUM": "0" * 16, "HEADCRC": "0" * 8}


def add_cards(header: fits.Header) -> None:
    """Have the cards, which `header_bytes` fills in, at the end of a header."""
    for key, comment in CARDS.items():
        header.remove(key, ignore_missing=True)
        header.append((key, _ZEROS.get(key, "0"), comment), end=True)


def header_bytes(header: fits.Header, datasum: int, datacrc: int = 0) -> bytes:
    """Seal an HDU.

    Parameters
    ----------
    header : Header
        With ``CHECKSUM`` and ``DATASUM``; the other cards are filled in where they are. It is not
        changed.
    datasum, datacrc : int
        Sum and CRC-32 of the data that follow.

    Returns
    -------
    bytes
        The header with its padding. The HDU sums to all ones.
    """
    header = header.copy()
    for key in ("CHECKSUM", "DATASUM"):
        header[key] = "0"  # in the form that is overwritten below
    return _filled(header, header.tostring().encode("ascii"), datasum, datacrc)


def is_broken(header: fits.Header) -> bool:
    """Whether a program that knows nothing of the CRCs has changed an HDU, and said so."""
    comment = header.comments["CHECKSUM"] if "CHECKSUM" in header else ""
    return str(comment).startswith(_OF_ANOTHER)


def faults(
    header: fits.Header, stored: bytes, datasum: int, datacrc: int
) -> Iterator[tuple[str, str]]:
    """Compare a seal with what is in the file.

    Parameters
    ----------
    header : Header
        The header.
    stored : bytes
        The same, as it is in the file.
    datasum, datacrc : int
        Sum and CRC-32 of the data.

    Yields
    ------
    card, what : str
        What does not hold, and what is wrong.
    """
    if "DATASUM" not in header or "CHECKSUM" not in header:
        yield "CHECKSUM", "has no checksums."
        return
    if header["DATASUM"] != str(datasum):
        was = header["DATASUM"]
        yield "DATASUM", f"the data sum to {datasum}, but DATASUM is {was}: they have changed."
    whole = checksum.add(checksum.sum_bytes(stored), datasum)
    if whole not in (0, checksum.ALL_ONES):
        yield "CHECKSUM", "CHECKSUM does not hold: the header or the data have changed."
        return
    data, head = _names(header)
    if is_broken(header) or (data not in header and head not in header):  # an older galgen
        return
    if header.get(data) != f"{datacrc:08x}":
        yield data, f"{data} does not hold: some of the data have changed places."
    elif head not in header or _filled(header, stored, datasum, datacrc) != stored:
        yield head, f"{head} does not hold: the header has changed since galgen wrote it."


def _names(header: fits.Header) -> tuple[str, str]:
    """Return the names of the CRCs of the data and of the header."""
    data, head = COMPRESSED.values() if header.get("ZIMAGE") else COMPRESSED
    return data, head


def _filled(header: fits.Header, text: bytes, datasum: int, datacrc: int) -> bytes:
    """Fill in the values of the cards of a header, which is given as a text, too."""
    raw = bytearray(text)
    _put(raw, "CHECKSUM", _ZEROS["CHECKSUM"])
    _put(raw, "DATASUM", str(datasum))
    if not is_broken(header):
        data, head = _names(header)
        _put(raw, data, f"{datacrc:08x}")
        _put(raw, head, _ZEROS["HEADCRC"])
        _put(raw, head, f"{zlib.crc32(raw):08x}")
    rest = checksum.ALL_ONES - checksum.add(checksum.sum_bytes(raw), datasum)
    _put(raw, "CHECKSUM", checksum.encode(rest))
    return bytes(raw)


def _put(raw: bytearray, key: str, value: str) -> None:
    """Put a text into the card of a name, if there is one."""
    name = f"{key:8}= ".encode()
    for start in range(0, len(raw), _CARD):
        if raw.startswith(name, start):
            place = start + len(name)
            raw[place : place + 20] = f"'{value:8}'".ljust(20).encode()
            return
