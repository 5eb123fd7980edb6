"""Counter-based random numbers: the same bits on every machine, device, thread count and version.

Number `i` of a galaxy is a pure function of (seed, stream, galaxy index, i), so a galaxy does not
depend on the batch it was generated in, and any one of a million can be made again alone. The
generator is Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

Everything here is exact integer arithmetic, a table look-up, or float64 products and sums that IEEE
754 rounds the same everywhere; transcendental functions are not, so none is used. Run it eagerly
only: a compiler may contract a product and a sum into one fused operation, which changes bits.
"""

from __future__ import annotations

import functools
import importlib.resources
import math
import operator
from collections.abc import Iterator
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from galgen.errors import InvalidValueError

_WORD = 0xFFFFFFFF
_STREAM_STRIDE = 1 << 16

# Counters per pass: small enough to stay in a CPU core's second-level cache, large enough that the
# cost of launching operations vanishes; accelerators only need a bound on memory.
_CPU_BLOCKS, _ACCELERATOR_BLOCKS = 1 << 15, 1 << 22


class Stream(IntEnum):
    """What random numbers are for. Each purpose owns 65,536 streams, reached with `at`."""

    INITIAL_NOISE = 0 * _STREAM_STRIDE
    SAMPLER_STEP = 1 * _STREAM_STRIDE
    CATEGORY = 2 * _STREAM_STRIDE
    POPULATION = 3 * _STREAM_STRIDE
    PROPERTY = 4 * _STREAM_STRIDE
    SCENE = 5 * _STREAM_STRIDE
    PIXEL_NOISE = 6 * _STREAM_STRIDE
    SKY_POSITION = 7 * _STREAM_STRIDE

    def at(self, offset: int) -> int:
        """Return stream number `offset` of this purpose, e.g. ``Stream.SAMPLER_STEP.at(step)``.

        Raises
        ------
        InvalidValueError
            If the offset would run into the next purpose's streams.
        """
        if not 0 <= offset < _STREAM_STRIDE:
            raise InvalidValueError(f"{self.name} offset", offset, f"0 to {_STREAM_STRIDE - 1}")
        return self.value + offset


def philox4x32(
    counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox4x32-10 (Salmon et al. 2011, sec. 4.3): four random words for each counter.

    Parameters
    ----------
    counter : tuple of 4 Tensor
        32-bit words as int64, of shapes that broadcast together.
    key : tuple of 2 int
        32-bit words.

    Returns
    -------
    tuple of 4 Tensor
        32-bit words as int64.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        # int64 products wrap around, which leaves the bits of the unsigned 64-bit product. Its low
        # half is the next c1 or c3; their high bits may stay, because the next mask removes them.
        low1, low0 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c2 = ((low0 >> 32) ^ c1 ^ k0) & _WORD, ((low1 >> 32) ^ c3 ^ k1) & _WORD
        c1, c3 = low0, low1
        k0, k1 = (k0 + 0x9E3779B9) & _WORD, (k1 + 0xBB67AE85) & _WORD
    return c0, c1 & _WORD, c2, c3 & _WORD


def normal_quantile(word: Tensor) -> Tensor:
    """Map uniform 32-bit words to standard normal numbers, float64, error below 1e-8.

    The signed distance of a word from the middle of the 32-bit range, in (-2^31, 2^31), gives sign
    and tail probability |distance| / 2^32. The exponent and the leading mantissa bits of the
    distance pick a segment, so segments shrink towards the tail, and each holds one cubic (Lee et
    al. 2006, "Inversion-based hardware Gaussian random number generator: a case study of function
    evaluation via hierarchical segmentation"). The largest number is 6.34.

    Parameters
    ----------
    word : Tensor
        Integers 0 .. 2^32 - 1 as int64, any shape.
    """
    table = normal_table(word.device)
    segment_bits = (table.shape[1] // 32).bit_length() - 1
    distance = word.double() - (2**31 - 0.5)
    x = distance.abs()
    segment = (x.view(torch.int64) >> (52 - segment_bits)) - (1022 << segment_bits)
    segment = segment.flatten()
    z = table[-1].index_select(0, segment).view_as(x)
    for coefficient in reversed(table[:-1]):
        # Two operations, two roundings: torch.addcmul may fuse them, with other bits.
        z = z.mul_(x).add_(coefficient.index_select(0, segment).view_as(x))
    return z.copysign_(distance)


def uniform(seed: int, index: Tensor, stream: int, count: int) -> Tensor:
    """Draw uniform numbers in [0, 1) with 53 random bits.

    Parameters
    ----------
    seed : int
        0 .. 2^63 - 1 (catalogue columns are signed 64-bit integers).
    index : Tensor
        Galaxy numbers, int64, (n,).
    stream : int
        A `Stream` member, or one of its offsets from `Stream.at`.
    count : int
        Numbers per galaxy; the first k do not depend on it.

    Returns
    -------
    Tensor
        float64, (n, count), on the device of `index`.

    Raises
    ------
    InvalidValueError
        If an argument is out of range.
    """
    out = torch.empty(index.numel(), count, dtype=torch.float64, device=index.device)
    for rows, word in _words(seed, index, stream, 2 * count):
        high, low = word[:, ::2] >> 5, word[:, 1::2] >> 6
        # .double() first: int64 times a Python float would be float32 (torch's default dtype).
        out[rows] = (high * 2**26 + low).double() * 2.0**-53
    return out


def normal(seed: int, index: Tensor, shape: tuple[int, ...], stream: int) -> Tensor:
    """Draw standard normal numbers, each from 32 random bits.

    Parameters
    ----------
    seed, index, stream
        See `uniform`.
    shape : tuple of int
        Shape per galaxy, filled in row-major order.

    Returns
    -------
    Tensor
        float32, (n, *shape), on the device of `index`, which must know float64 (Apple's GPUs do
        not: draw on the CPU and move the result; the bits are the same).

    Raises
    ------
    InvalidValueError
        If an argument is out of range.
    """
    count = math.prod(shape)
    out = torch.empty(index.numel(), count, dtype=torch.float32, device=index.device)
    for rows, word in _words(seed, index, stream, count):
        out[rows] = normal_quantile(word)
    return out.view(*index.shape, *shape)


def _words(seed: int, index: Tensor, stream: int, count: int) -> Iterator[tuple[slice, Tensor]]:
    """Yield (rows, words): int64 (rows, count) random 32-bit words for successive galaxies."""
    seed, stream = operator.index(seed), operator.index(stream)
    if not 0 <= seed < 1 << 63:
        raise InvalidValueError("seed", seed, "0 to 2^63 - 1", "Choose a smaller positive seed.")
    if not 0 <= stream <= _WORD:
        raise InvalidValueError("stream", stream, "0 to 2^32 - 1", "Use a member of Stream.")
    if index.dtype != torch.int64 or index.dim() != 1:
        given = f"{index.dtype} of shape {tuple(index.shape)}"
        raise InvalidValueError("index", given, "int64 of shape (n,)")
    blocks = -(-count // 4)
    device = index.device
    block = torch.arange(blocks, device=device)
    stream_word = torch.full((), stream, device=device)
    budget = _CPU_BLOCKS if device.type == "cpu" else _ACCELERATOR_BLOCKS
    step = max(1, budget // max(1, blocks))
    for start in range(0, len(index), step):
        number = index[start : start + step, None]
        counter = (block, stream_word, number & _WORD, number >> 32 & _WORD)
        word = torch.stack(philox4x32(counter, (seed & _WORD, seed >> 32)), -1).flatten(1)
        yield slice(start, start + len(number)), word[:, :count]


@functools.cache
def normal_table(device: torch.device) -> Tensor:
    """Load the cubics of all segments from bench/make_normal_table.py, constants first.

    Returns
    -------
    Tensor
        float64, (4, segments), on the device.
    """
    with importlib.resources.files("galgen").joinpath("normal_table.npy").open("rb") as file:
        return torch.from_numpy(np.load(file)).to(device)
