"""From the sampler's stamps to the bytes of a FITS file and their checksums."""

from __future__ import annotations

from functools import lru_cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from galgen_kernels.launching.launcher import launch_variant
from galgen_kernels.launching.variant import Variant
from galgen_kernels.ops.stamps_to_fits import stretch as stretches
from galgen_kernels.ops.stamps_to_fits.reference import FitsStamps
from galgen_kernels.ops.stamps_to_fits.stretch import Stretch

LARGEST = 1 << 12  # pixels that a program takes at once; 16 registers of each of 256 threads
SINH_MAX = tl.constexpr(stretches.SINH_MAX)
# Rows of the table of constants.
SLOPE, INTERCEPT, SOFTENING, GAIN, OFFSET, NORM = (tl.constexpr(row) for row in range(6))


@triton.jit
def sinh_ratio(t):
    """Compute sinh(t) / t for |t| up to 40, relative error below 5e-6."""
    square = t * t
    # Taylor series to t^8 / 9!; further out the difference of exponentials has all its digits.
    series = 1 + square * (1 / 72)
    series = 1 + square * (1 / 42) * series
    series = 1 + square * (1 / 20) * series
    series = 1 + square * (1 / 6) * series
    large = tl.where(square < 1, 1.0, t)
    return tl.where(square < 1, series, (tl.exp(large) - tl.exp(-large)) * (0.5 / large))


@triton.jit
def stabilised(x_ptr, table_ptr, pixel, inside, band, BANDS: tl.constexpr):
    """Compute u of `Stretch` in one band."""
    x = tl.load(x_ptr + pixel * BANDS + band, mask=inside, other=0.0)
    table_ptr += band
    return tl.load(table_ptr + SLOPE * BANDS) * x + tl.load(table_ptr + INTERCEPT * BANDS)


@triton.jit
def display(u, table_ptr, band, BANDS: tl.constexpr):
    """Compute v of `Stretch` in one band."""
    return u * tl.abs(u) - tl.load(table_ptr + SOFTENING * BANDS + band)


@triton.jit
def brightening(x_ptr, table_ptr, pixel, inside, BANDS: tl.constexpr, LUPTON: tl.constexpr):
    """Compute sinh(t) / t of `Stretch`, which all bands share; 0 without a Lupton stretch."""
    bright = tl.zeros(pixel.shape, tl.float32)
    if LUPTON:
        for band in range(BANDS):
            u = stabilised(x_ptr, table_ptr, pixel, inside, band, BANDS)
            v = display(u, table_ptr, band, BANDS)
            bright += tl.where(v < 0, 0.0, v)  # not maximum(), which loses NaN
        t = bright * (tl.load(table_ptr + NORM * BANDS) / BANDS)
        bright = sinh_ratio(tl.where(t > SINH_MAX, SINH_MAX, t))
    return bright


@triton.jit
def band_flux(
    x_ptr, table_ptr, pixel, inside, ratio, band, BANDS: tl.constexpr, LUPTON: tl.constexpr
):
    """Compute f of `Stretch` in one band, 0 outside the stamp."""
    u = stabilised(x_ptr, table_ptr, pixel, inside, band, BANDS)
    if LUPTON:
        v = display(u, table_ptr, band, BANDS)
        gain = tl.load(table_ptr + GAIN * BANDS + band)
        flux = gain * v * ratio - tl.load(table_ptr + OFFSET * BANDS + band)
    else:
        s = tl.where(u > SINH_MAX, SINH_MAX, tl.where(u < -SINH_MAX, -SINH_MAX, u))
        flux = tl.load(table_ptr + SOFTENING * BANDS + band) * s * sinh_ratio(s)
    flux = tl.where(tl.abs(u) < float("inf"), flux, float("nan"))
    return tl.where(inside, flux, 0.0)


@triton.jit
def as_float(flux):
    """Return big-endian float32 as integers of this machine, and the words of their DATASUM."""
    word = flux.to(tl.uint32, bitcast=True)
    swapped = (word << 24) | ((word & 0xFF00) << 8) | ((word >> 8) & 0xFF00) | (word >> 24)
    return swapped.to(tl.int32, bitcast=True), word.to(tl.int64)


@triton.jit
def stamps_to_fits_kernel(
    x_ptr,
    table_ptr,
    data_ptr,
    sums_ptr,
    flux_ptr,
    planes_ptr,
    PIXELS: tl.constexpr,
    BANDS: tl.constexpr,
    PADDED: tl.constexpr,
    CHUNK: tl.constexpr,
    CHUNKS: tl.constexpr,
    LUPTON: tl.constexpr,
):
    """One program makes one stamp, in all bands."""
    stamp = tl.program_id(0).to(tl.int64)
    stamps = tl.num_programs(0)
    x_ptr += stamp * PIXELS * BANDS
    bands = tl.arange(0, PADDED)
    sums, fluxes = tl.zeros((PADDED,), tl.int64), tl.zeros((PADDED,), tl.float32)
    for chunk in range(CHUNKS):
        pixel = chunk * CHUNK + tl.arange(0, CHUNK)
        inside = pixel < PIXELS
        ratio = brightening(x_ptr, table_ptr, pixel, inside, BANDS, LUPTON)
        for band in range(BANDS):
            flux = band_flux(x_ptr, table_ptr, pixel, inside, ratio, band, BANDS, LUPTON)
            stored, word = as_float(flux)
            tl.store(data_ptr + (band * stamps + stamp) * PIXELS + pixel, stored, mask=inside)
            tl.store(planes_ptr + (stamp * BANDS + band) * PIXELS + pixel, flux, mask=inside)
            sums += tl.where(bands == band, tl.sum(word), 0)
            fluxes += tl.where(bands == band, tl.sum(flux), 0.0)
    sums = (sums & 0xFFFFFFFF) + (sums >> 32)  # the carries, added back in
    sums = (sums & 0xFFFFFFFF) + (sums >> 32)  # and theirs
    tl.store(sums_ptr + stamp * BANDS + bands, sums.to(tl.int32), mask=bands < BANDS)
    tl.store(flux_ptr + stamp * BANDS + bands, fluxes, mask=bands < BANDS)


def variant(pixels: int, bands: int, *, lupton: bool) -> Variant:
    """Describe the form for stamps of one size."""
    chunk = min(triton.next_power_of_2(pixels), LARGEST)
    names = ("x_ptr", "table_ptr", "data_ptr", "sums_ptr", "flux_ptr", "planes_ptr")
    return Variant(
        stamps_to_fits_kernel,
        dict.fromkeys(names, "*fp32") | {"data_ptr": "*i32", "sums_ptr": "*i32"},
        {
            "PIXELS": pixels,
            "BANDS": bands,
            "PADDED": triton.next_power_of_2(bands),
            "CHUNK": chunk,
            "CHUNKS": -(-pixels // chunk),
            "LUPTON": lupton,
        },
        num_warps=max(1, min(8, chunk // 512)),
        num_stages=1,
    )


def launch(x_nhwc: Tensor, stretch: Stretch) -> FitsStamps:
    """See `galgen_kernels.ops.stamps_to_fits`."""
    n, h, w, bands = x_nhwc.shape
    x_nhwc = x_nhwc.contiguous()
    data_bnhw = x_nhwc.new_empty(bands, n, h, w, dtype=torch.int32)
    sums_nb, flux_nb = x_nhwc.new_empty(n, bands, dtype=torch.int32), x_nhwc.new_empty(n, bands)
    planes_nbhw = x_nhwc.new_empty(n, bands, h, w)
    form = variant(h * w, bands, lupton=stretch.lupton is not None)
    if n:  # a grid cannot be empty
        table = _table(stretch, x_nhwc.device)
        launch_variant(form, (n,), x_nhwc, table, data_bnhw, sums_nb, flux_nb, planes_nbhw)
    return FitsStamps(data_bnhw.view(torch.uint8), sums_nb.view(torch.uint32), flux_nb, planes_nbhw)


@lru_cache(maxsize=8)
def _table(stretch: Stretch, device: torch.device) -> Tensor:
    """Return the constants of each band (6, b), kept on the device: a copy makes the CPU wait."""
    zero = (0.0,) * len(stretch.slope)
    lupton = stretch.lupton
    gain, offset = (lupton.gain, lupton.offset) if lupton else (zero, zero)
    norm = (lupton.norm if lupton else 0.0,) * len(zero)
    rows = [stretch.slope, stretch.intercept, stretch.softening, gain, offset, norm]
    return torch.tensor(rows, dtype=torch.float32, device=device)
