"""From the sampler's stamps to the bytes of a FITS file, their checksum and their shape.

One program makes one stamp. Up to `RESIDENT` pixels the mean of the bands, from which the shape is
measured, stays in registers; of a larger stamp it is computed from x again in every pass, which
costs less than it would to store it and to wait until all threads see it.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from galgen_kernels.launching.launcher import launch_variant
from galgen_kernels.launching.variant import Variant
from galgen_kernels.ops.stamps_to_fits import reference as fits_reference
from galgen_kernels.ops.stamps_to_fits.reference import SHAPE, FitsStamps, Scaling, Stretch

RESIDENT = 1 << 12  # pixels; 16 registers of each of 256 threads
SINH_MAX = tl.constexpr(fits_reference.SINH_MAX)
HALVINGS = tl.constexpr(fits_reference.HALVINGS)
# Adding and subtracting 1.5 * 2^23 rounds a float32 to the nearest integer, half to even.
ROUND = tl.constexpr(12582912.0)
# Rows of the table of constants.
SLOPE, INTERCEPT, SOFTENING, GAIN, OFFSET, NORM = (tl.constexpr(row) for row in range(6))


@triton.jit
def sinh_ratio(t):
    """sinh(t) / t for |t| up to 40, relative error below 5e-6."""
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
    """u of `Stretch`, in one band."""
    x = tl.load(x_ptr + pixel * BANDS + band, mask=inside, other=0.0)
    table_ptr += band
    return tl.load(table_ptr + SLOPE * BANDS) * x + tl.load(table_ptr + INTERCEPT * BANDS)


@triton.jit
def display(u, table_ptr, band, BANDS: tl.constexpr):
    """v of `Stretch`."""
    return u * tl.abs(u) - tl.load(table_ptr + SOFTENING * BANDS + band)


@triton.jit
def brightening(x_ptr, table_ptr, pixel, inside, BANDS: tl.constexpr, LUPTON: tl.constexpr):
    """sinh(t) / t of `Stretch`, which all bands share; 0 where there is no Lupton stretch."""
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
    """f of `Stretch` in one band, 0 outside the stamp."""
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
def mean_flux(x_ptr, table_ptr, pixel, inside, BANDS: tl.constexpr, LUPTON: tl.constexpr):
    """Mean over the bands."""
    ratio = brightening(x_ptr, table_ptr, pixel, inside, BANDS, LUPTON)
    image = tl.zeros(pixel.shape, tl.float32)
    for band in range(BANDS):
        image += band_flux(x_ptr, table_ptr, pixel, inside, ratio, band, BANDS, LUPTON)
    return image * (1 / BANDS)


@triton.jit
def as_float(flux):
    """Bytes of big-endian float32 as an integer of this machine, and the words of their DATASUM."""
    word = flux.to(tl.uint32, bitcast=True)
    swapped = (word << 24) | ((word & 0xFF00) << 8) | ((word >> 8) & 0xFF00) | (word >> 24)
    return swapped.to(tl.int32, bitcast=True), word.to(tl.int64)


@triton.jit
def as_short(flux, pixel, inside, bscale, bzero):
    """Like `as_float` for scaled int16: two pixels are one word, the even one its upper half."""
    level = (flux - bzero) / bscale
    level = tl.where(level > 32767, 32767.0, tl.where(level > -32768, level, -32768.0))
    half = ((level + ROUND) - ROUND).to(tl.int32) & 0xFFFF
    word = half.to(tl.int64) << tl.where(pixel % 2 == 0, 16, 0)
    return (((half & 0xFF) << 8) | (half >> 8)).to(tl.int16), tl.where(inside, word, 0)


@triton.jit(do_not_specialize=["bscale", "bzero"])
def stamps_to_fits_kernel(
    x_ptr,
    table_ptr,
    data_ptr,
    sums_ptr,
    flux_ptr,
    shape_ptr,
    planes_ptr,
    bscale,
    bzero,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    BANDS: tl.constexpr,
    PADDED: tl.constexpr,
    CHUNK: tl.constexpr,
    CHUNKS: tl.constexpr,
    LUPTON: tl.constexpr,
    SCALED: tl.constexpr,
    PLANES: tl.constexpr,
):
    """One program makes one stamp, in all bands."""
    stamp = tl.program_id(0).to(tl.int64)
    stamps = tl.num_programs(0)
    pixels: tl.constexpr = HEIGHT * WIDTH
    x_ptr += stamp * pixels * BANDS
    bands = tl.arange(0, PADDED)
    sums, fluxes = tl.zeros((PADDED,), tl.int64), tl.zeros((PADDED,), tl.float32)
    total, light, x_sum, y_sum = 0.0, 0.0, 0.0, 0.0
    image = tl.zeros((CHUNK,), tl.float32)

    # Bytes, their sums, flux and centroid.
    for chunk in range(CHUNKS):
        pixel = chunk * CHUNK + tl.arange(0, CHUNK)
        inside = pixel < pixels
        ratio = brightening(x_ptr, table_ptr, pixel, inside, BANDS, LUPTON)
        image = tl.zeros((CHUNK,), tl.float32)
        for band in range(BANDS):
            flux = band_flux(x_ptr, table_ptr, pixel, inside, ratio, band, BANDS, LUPTON)
            image += flux
            if SCALED:
                stored, word = as_short(flux, pixel, inside, bscale, bzero)
            else:
                stored, word = as_float(flux)
            tl.store(data_ptr + (band * stamps + stamp) * pixels + pixel, stored, mask=inside)
            if PLANES:
                tl.store(planes_ptr + (stamp * BANDS + band) * pixels + pixel, flux, mask=inside)
            sums += tl.where(bands == band, tl.sum(word), 0)
            fluxes += tl.where(bands == band, tl.sum(flux), 0.0)
        image *= 1 / BANDS
        weight = tl.where(image < 0, 0.0, image)
        total += tl.sum(image)
        light += tl.sum(weight)
        x_sum += tl.sum(weight * (pixel % WIDTH))
        y_sum += tl.sum(weight * (pixel // WIDTH))
    sums = (sums & 0xFFFFFFFF) + (sums >> 32)  # the carries, added back in
    sums = (sums & 0xFFFFFFFF) + (sums >> 32)  # and theirs
    tl.store(sums_ptr + stamp * BANDS + bands, sums.to(tl.int32), mask=bands < BANDS)
    tl.store(flux_ptr + stamp * BANDS + bands, fluxes, mask=bands < BANDS)

    xc, yc = x_sum / light, y_sum / light
    xx, yy, xy = 0.0, 0.0, 0.0
    for chunk in range(CHUNKS):
        pixel = chunk * CHUNK + tl.arange(0, CHUNK)
        if CHUNKS > 1:
            image = mean_flux(x_ptr, table_ptr, pixel, pixel < pixels, BANDS, LUPTON)
        weight = tl.where(image < 0, 0.0, image)
        dx, dy = pixel % WIDTH - xc, pixel // WIDTH - yc
        xx += tl.sum(weight * dx * dx)
        yy += tl.sum(weight * dy * dy)
        xy += tl.sum(weight * dx * dy)

    # The curve of growth is not tabulated: its inverse is found where it is asked for.
    far_x = tl.maximum(xc, WIDTH - 1 - xc)
    far_y = tl.maximum(yc, HEIGHT - 1 - yc)
    low, high = 0.0, tl.sqrt(far_x * far_x + far_y * far_y) + 0.5
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        within = 0.0
        for chunk in range(CHUNKS):
            pixel = chunk * CHUNK + tl.arange(0, CHUNK)
            if CHUNKS > 1:
                image = mean_flux(x_ptr, table_ptr, pixel, pixel < pixels, BANDS, LUPTON)
            dx, dy = pixel % WIDTH - xc, pixel // WIDTH - yc
            cover = middle - tl.sqrt(dx * dx + dy * dy) + 0.5  # of each pixel by the circle
            within += tl.sum(image * tl.minimum(tl.maximum(cover, 0.0), 1.0))
        low = tl.where(within < total / 2, middle, low)
        high = tl.where(within < total / 2, high, middle)

    shape_ptr += stamp * 6
    tl.store(shape_ptr, xc)
    tl.store(shape_ptr + 1, yc)
    tl.store(shape_ptr + 2, xx / light)
    tl.store(shape_ptr + 3, yy / light)
    tl.store(shape_ptr + 4, xy / light)
    tl.store(shape_ptr + 5, tl.where(total > 0, (low + high) / 2, float("nan")))


def variant(
    height: int, width: int, bands: int, *, lupton: bool, scaled: bool, planes: bool
) -> Variant:
    """The form for stamps of one size."""
    pixels = height * width
    chunk = min(triton.next_power_of_2(pixels), RESIDENT)
    names = ("x_ptr", "table_ptr", "data_ptr", "sums_ptr", "flux_ptr", "shape_ptr", "planes_ptr")
    data = {"data_ptr": "*i16" if scaled else "*i32", "sums_ptr": "*i32"}
    return Variant(
        stamps_to_fits_kernel,
        dict.fromkeys(names, "*fp32") | data | {"bscale": "fp32", "bzero": "fp32"},
        {
            "HEIGHT": height,
            "WIDTH": width,
            "BANDS": bands,
            "PADDED": triton.next_power_of_2(bands),
            "CHUNK": chunk,
            "CHUNKS": -(-pixels // chunk),
            "LUPTON": lupton,
            "SCALED": scaled,
            "PLANES": planes,
        },
        num_warps=max(1, min(8, chunk // 512)),
        num_stages=1,
    )


def launch(
    x_nhwc: Tensor, stretch: Stretch, scaling: Scaling | None = None, *, planes: bool = False
) -> FitsStamps:
    """See `galgen_kernels.ops.stamps_to_fits.stamps_to_fits`."""
    n, h, w, bands = x_nhwc.shape
    x_nhwc = x_nhwc.contiguous()
    data = x_nhwc.new_empty(bands, n, h, w, dtype=torch.int16 if scaling else torch.int32)
    sums_nb, flux_nb = x_nhwc.new_empty(n, bands, dtype=torch.int32), x_nhwc.new_empty(n, bands)
    shape_ns = x_nhwc.new_empty(n, len(SHAPE))
    planes_nbhw = x_nhwc.new_empty(n, bands, h, w) if planes else None
    form = variant(
        h, w, bands, lupton=stretch.lupton is not None, scaled=scaling is not None, planes=planes
    )
    scaling = scaling or Scaling(1.0)
    results = data, sums_nb, flux_nb, shape_ns, planes_nbhw if planes else flux_nb
    if n:  # a grid cannot be empty
        table = _table(stretch, x_nhwc.device)
        launch_variant(form, (n,), x_nhwc, table, *results, scaling.bscale, scaling.bzero)
    return FitsStamps(
        data.view(torch.uint8), sums_nb.view(torch.uint32), flux_nb, shape_ns, planes_nbhw
    )


@lru_cache(maxsize=8)
def _table(stretch: Stretch, device: torch.device) -> Tensor:
    """Constants of each band (6, bands), kept on the device: a copy to it makes the CPU wait."""
    zero = (0.0,) * len(stretch.slope)
    lupton = stretch.lupton
    gain, offset = (lupton.gain, lupton.offset) if lupton else (zero, zero)
    norm = (lupton.norm if lupton else 0.0,) * len(zero)
    rows = [stretch.slope, stretch.intercept, stretch.softening, gain, offset, norm]
    return torch.tensor(rows, dtype=torch.float32, device=device)
