"""Kernels compiled ahead of time: ``libgalgen_kernels.so`` in place of Triton's compiler.

The library is the one that GALGEN_AOT_LIBRARY names, or else the one installed in this package if
it was built with ``GALGEN_AOT=ON``; ``GALGEN_AOT_LIBRARY=none`` uses neither. A binary is taken
only if it was built from the very source, constants and options that this process would compile.
"""

from __future__ import annotations

import ctypes
import functools
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from galgen_kernels.launching.variant import Variant

ENVIRONMENT = "GALGEN_AOT_LIBRARY"
INSTALLED = Path(__file__).parent.parent / "lib" / "libgalgen_kernels.so"
ABI = 1  # GALGEN_KERNELS_ABI of the header
SCALARS: dict[str, type[ctypes._SimpleCData[Any]]] = {
    "fp32": ctypes.c_float,
    "fp64": ctypes.c_double,
    "i32": ctypes.c_int32,
    "i64": ctypes.c_int64,
}
"""C types of arguments that are not pointers; no kernel has others."""


class LibraryError(RuntimeError):
    """The library that was asked for by name cannot be used; the message says why."""


class BinaryInfo(ctypes.Structure):
    """What the header calls ``galgen_kernels_binary``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("fingerprint", ctypes.c_char_p),
        ("types", ctypes.c_char_p),
        ("capability", ctypes.c_uint32),
        ("num_warps", ctypes.c_uint32),
        ("shared", ctypes.c_uint32),
        ("registers", ctypes.c_uint32),
    )


class Library:
    """The C library, opened.

    Parameters
    ----------
    path : Path
        Of the shared library.
    required : bool
        Whether what does not match is an error, instead of a warning and compilation by Triton.

    Attributes
    ----------
    fingerprints : dict of str to dict of int to str
        Name of a variant -> compute capability -> fingerprint.

    Raises
    ------
    LibraryError
        If it cannot be loaded, or has another ABI.
    """

    def __init__(self, path: Path, *, required: bool):
        self.path, self.required = path, required
        self._warned = False
        try:
            library = ctypes.CDLL(os.fspath(path))
            abi = library.galgen_kernels_abi()
        except (OSError, AttributeError) as error:
            raise LibraryError(f"{path} cannot be loaded: {error}.") from None
        if abi != ABI:
            raise LibraryError(f"{path} has ABI {abi}; allowed: {ABI}. Build it again.")
        library.galgen_kernels_count.restype = ctypes.c_size_t
        library.galgen_kernels_at.restype = ctypes.POINTER(BinaryInfo)
        library.galgen_kernels_at.argtypes = [ctypes.c_size_t]
        library.galgen_kernels_error.restype = ctypes.c_char_p
        library.galgen_kernels_launch.argtypes = [
            ctypes.c_char_p,
            ctypes.c_void_p,
            ctypes.POINTER(ctypes.c_uint32),
            ctypes.POINTER(ctypes.c_void_p),
            ctypes.c_size_t,
        ]
        self._library = library
        self.fingerprints: dict[str, dict[int, str]] = {}
        for i in range(library.galgen_kernels_count()):
            info = library.galgen_kernels_at(i).contents
            capabilities = self.fingerprints.setdefault(info.name.decode(), {})
            capabilities[info.capability] = info.fingerprint.decode()

    def has(self, variant: Variant, capability: int) -> bool:
        """Whether the library holds a variant for a device of this compute capability (90 is 9.0).

        Raises
        ------
        LibraryError
            If it holds the variant built from other source, or for other devices only, and the
            library was asked for by name. Otherwise that is a warning, once.
        """
        built = self.fingerprints.get(variant.name)
        if built is None:
            return False
        if capability not in built:
            have = ", ".join(map(str, sorted(built)))
            return self._refuse(f"is for compute capabilities {have}; the device has {capability}")
        if built[capability] != variant.fingerprint:
            return self._refuse(f"was built from another version of {variant.name}")
        return True

    def _refuse(self, why: str) -> bool:
        """Raise if the library was asked for by name; else warn once and return False."""
        message = f"{self.path} {why}."
        if self.required:
            raise LibraryError(f"{message} Build it again, or unset {ENVIRONMENT}.")
        if not self._warned:
            self._warned = True
            warnings.warn(f"{message} Triton compiles instead.", RuntimeWarning, stacklevel=2)
        return False

    def launch(
        self,
        name: str,
        types: Sequence[str],
        stream: int,
        grid: tuple[int, ...],
        arguments: Sequence[Any],
    ) -> None:
        """Launch on the current device; tensors are passed as their addresses.

        Raises
        ------
        LibraryError
            If the library or the CUDA driver cannot do it.
        """
        values = [
            ctypes.c_uint64(argument.data_ptr()) if kind[0] == "*" else SCALARS[kind](argument)
            for kind, argument in zip(types, arguments, strict=True)
        ]
        addresses = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
        size = (ctypes.c_uint32 * 3)(*grid, *(1,) * (3 - len(grid)))
        launched = self._library.galgen_kernels_launch
        if launched(name.encode(), stream, size, addresses, len(values)):
            raise LibraryError(f"{name}: {self._library.galgen_kernels_error().decode()}")


def launch(variant: Variant, grid: tuple[int, ...], arguments: Sequence[Any]) -> bool:
    """Launch on the current stream if there is a matching binary, and say whether there was.

    Raises
    ------
    LibraryError
        If the library was asked for by name and cannot be used, or a launch failed.
    """
    library = _library()
    if library is None:
        return False
    # A variant itself has no hash: two of its members are dictionaries.
    types, constants = tuple(variant.types.values()), tuple(variant.constants.values())
    device = torch.cuda.current_device()
    key = (device, variant.kernel, types, constants, *variant.options.values())
    if key not in _names:
        major, minor = torch.cuda.get_device_capability(device)
        _names[key] = variant.name if library.has(variant, 10 * major + minor) else None
    name = _names[key]
    if name is not None:
        stream = torch.cuda.current_stream().cuda_stream
        library.launch(name, types, stream, grid, arguments)
    return name is not None


_names: dict[tuple[Any, ...], str | None] = {}
"""Device and variant -> its name in the library; None if it is not there."""


@functools.cache
def _library() -> Library | None:
    """Return the library where kernels are compiled and there is a GPU."""
    if os.environ.get("TRITON_INTERPRET") == "1" or not torch.cuda.is_available():
        return None
    return find_library()


def find_library() -> Library | None:
    """Open the library that this process should use, if there is one.

    Raises
    ------
    LibraryError
        If the library that GALGEN_AOT_LIBRARY names cannot be used.
    """
    asked = os.environ.get(ENVIRONMENT)
    if asked == "none" or (not asked and not INSTALLED.exists()):
        return None
    if asked:
        return Library(Path(asked), required=True)
    try:
        return Library(INSTALLED, required=False)
    except LibraryError as error:
        warnings.warn(f"{error} Triton compiles instead.", RuntimeWarning, stacklevel=2)
        return None
