"""What has been measured on galaxies, kept between runs.

A galaxy is known by a hash of its pixels, so that joining, dividing or relabelling data sets costs
nothing, and a file by a hash of what else its values depend on: how pixels become flux, and the
source text of the measurement. A file that is damaged is made again.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from platformdirs import user_cache_path
from safetensors.numpy import load, save

import galgen.data.stamps
import galgen.measure
import galgen.pixels.constants
import galgen.pixels.lupton
from galgen.data import StampSet
from galgen.errors import DataError, reading
from galgen.system.files import written_aside
from galgen.system.inputs import open_input
from galgen_kernels.ops import flood

_DIGEST = 16  # bytes


def cache_folder() -> Path:
    """Folder for measurements in the user's cache, whether it exists or not."""
    return user_cache_path("galgen") / "measured"


def measuring_sources() -> list[Path]:
    """Source files that measured values follow from.

    `StampSet.flux` leads from pixels to flux, by the stretches of `galgen.pixels.lupton`, and all
    of `galgen.measure`, with the kernel that it floods with, from there to values.
    """
    folders = (Path(inspect.getfile(m)).parent for m in (galgen.measure, flood))
    to_flux = (galgen.pixels.lupton, galgen.pixels.constants, galgen.data.stamps)
    measuring = (path for folder in folders for path in sorted(folder.rglob("*.py")))
    return [*measuring, *(Path(inspect.getfile(m)) for m in to_flux)]


def measurement_version() -> str:
    """SHA-256 of the source text that measured values follow from, and of PyTorch's version."""
    digest = hashlib.sha256(torch.__version__.encode())
    for path in measuring_sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


class MeasurementCache:
    """Measured values by galaxy, for one way from pixels to flux.

    Parameters
    ----------
    folders : iterable of Path
        Where the file may be: all are read, the first that can be written is written. With none,
        nothing is kept.
    stamps : StampSet
        Of any galaxies: it says how pixels become flux.
    """

    def __init__(self, folders: Iterable[Path], stamps: StampSet) -> None:
        self._folders = tuple(folders)
        depends = {
            "version": measurement_version(),
            "native": stamps.native,
            "bands": stamps.bands,
            "lupton": stamps.lupton,
            "pixel_scale": stamps.pixel_scale,
        }
        self._key = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
        self._name = f"{self._key[:32]}.safetensors"

    def digests(self, stamps: StampSet) -> list[bytes]:
        """Hash the pixels of each galaxy to 16 bytes."""
        shape = str(stamps.pixels.shape[1:]).encode()
        return [
            hashlib.blake2b(
                np.ascontiguousarray(stamps.pixels[row]).tobytes(), digest_size=_DIGEST, key=shape
            ).digest()
            for row in range(len(stamps))
        ]

    def read(self, width: int) -> dict[bytes, np.ndarray]:
        """Read values (`width`,) float32 by the galaxy's digest.

        Never raises: files that are not whole are left out, and have to be measured again.
        """
        known: dict[bytes, np.ndarray] = {}
        for folder in self._folders:
            known |= self._read(folder / self._name, width)
        return known

    def _read(self, path: Path, width: int) -> dict[bytes, np.ndarray]:
        """Read one file; nothing of one that is missing, damaged or of another kind."""
        try:
            with reading(path, "measurements"):
                with open_input(path) as file:
                    arrays = load(file.read())
                digests, values, checksum = (arrays[k] for k in ("digests", "values", "checksum"))
                fits = digests.dtype == np.uint8 and values.dtype == np.float32
                fits &= values.shape == (len(digests), width) and digests.shape[1:] == (_DIGEST,)
        except DataError:
            return {}
        if not fits or checksum.tobytes() != self._checksum(digests, values):
            return {}
        return {row.tobytes(): value for row, value in zip(digests, values, strict=True)}

    def add(self, fresh: Mapping[bytes, np.ndarray], width: int) -> None:
        """Write values beside those that the file has; where no folder can be written, do not."""
        for folder in self._folders:
            path = folder / self._name
            # Read again: another run may have added its own meanwhile.
            rows = self._read(path, width) | dict(fresh)
            digests = np.frombuffer(b"".join(rows), np.uint8).reshape(-1, _DIGEST)
            values = np.stack(list(rows.values())).astype(np.float32)
            checksum = np.frombuffer(self._checksum(digests, values), np.uint8)
            content = save({"digests": digests, "values": values, "checksum": checksum})
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with written_aside(path) as aside:
                    aside.write_bytes(content)
            except OSError:
                continue
            return

    def _checksum(self, digests: np.ndarray, values: np.ndarray) -> bytes:
        """SHA-256 of what a file holds, and of what its values depend on."""
        return hashlib.sha256(
            self._key.encode() + digests.tobytes() + np.ascontiguousarray(values).tobytes()
        ).digest()
