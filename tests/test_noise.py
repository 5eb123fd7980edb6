"""The random numbers are the right ones, and the same ones everywhere."""

from __future__ import annotations

import hashlib
import statistics
import struct
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats

from galgen import noise
from galgen.errors import InvalidValueError
from galgen.noise import Stream, normal, normal_quantile, philox4x32, uniform

# Random123 1.14, tests/kat_vectors, "philox4x32 10": counter, key, result.
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def reference_philox(counter: list[int], key: list[int]) -> list[int]:
    """Salmon et al. 2011 in Python's unbounded integers."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [
            (p1 >> 32) ^ c[1] ^ k[0],
            p1 & 0xFFFFFFFF,
            (p0 >> 32) ^ c[3] ^ k[1],
            p0 & 0xFFFFFFFF,
        ]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


def reference_words(seed: int, index: int, stream: int, count: int) -> list[int]:
    key = [seed % 2**32, seed >> 32]
    out: list[int] = []
    for block in range(-(-count // 4)):
        out += reference_philox([block, stream, index % 2**32, index >> 32], key)
    return out[:count]


def reference_normal(word: int) -> float:
    """The exact quantile of a 32-bit word, from the standard library."""
    distance = word - (2**31 - 0.5)
    z = -statistics.NormalDist().inv_cdf(abs(distance) / 2**32)
    return z if distance > 0 else -z


def test_philox_known_answers() -> None:
    counters = torch.tensor([words(counter) for counter, _, _ in KNOWN_ANSWERS])
    for i, (_, key, expected) in enumerate(KNOWN_ANSWERS):
        got = torch.stack(philox4x32(tuple(counters.T), tuple(words(key))), -1)
        assert got[i].tolist() == words(expected)


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**63 - 1])
@pytest.mark.parametrize("stream", [0, Stream.SAMPLER_STEP.at(999), 2**32 - 1])
def test_bits_against_python_arithmetic(seed: int, stream: int) -> None:
    """Every rounding of the normals is reproduced by Python floats: no operation was fused."""
    indices = [0, 1, 2**32 - 1, 2**32, 2**63 - 1]  # around the border of the two index words
    count = 7  # not a multiple of the four words of a block
    table = noise.normal_table(torch.device("cpu")).T.tolist()
    normals = normal(seed, torch.tensor(indices), (count,), stream)
    uniforms = uniform(seed, torch.tensor(indices), stream, count)
    for row, index in enumerate(indices):
        word = reference_words(seed, index, stream, 2 * count)
        for i in range(count):
            high, low = word[2 * i] >> 5, word[2 * i + 1] >> 6
            assert uniforms[row, i].item() == (high * 2**26 + low) / 2**53
            distance = word[i] - (2**31 - 0.5)
            bits = struct.unpack("<q", struct.pack("<d", abs(distance)))[0]
            c0, c1, c2, c3 = table[(bits >> 47) - (1022 << 5)]
            z = c3 * abs(distance) + c2
            z = z * abs(distance) + c1
            z = z * abs(distance) + c0
            expected = np.float32(z if distance > 0 else -z)
            assert normals[row, i].item() == expected


def test_golden_bits() -> None:
    """If this fails, every galaxy ever generated from a seed has changed."""
    index = torch.tensor([0, 1, 2, 10**12])
    numbers = normal(20250618, index, (5, 3, 3), Stream.INITIAL_NOISE).numpy().astype("<f4")
    assert hashlib.sha256(numbers.tobytes()).hexdigest() == NORMAL_SHA256
    numbers = uniform(20250618, index, Stream.PROPERTY, 9).numpy().astype("<f8")
    assert hashlib.sha256(numbers.tobytes()).hexdigest() == UNIFORM_SHA256


NORMAL_SHA256 = "242abbba1ac81f1dfe543200103a512ad4b34e686e8ad235b8e384f03f788e88"
UNIFORM_SHA256 = "fab9bd7faccd408ddf78e8ed8133a46a1dc022e1a75a1c9fe2e215d2dcf47ac3"


def test_quantile_table_up_to_the_tails() -> None:
    """Within 1e-8 of the exact inverse at both ends, the middle and every segment border."""
    near = torch.arange(300)
    border = (2.0 ** torch.arange(31.0, dtype=torch.float64))[:, None]
    border = (border * (1 + torch.arange(32) / 32)).long().flatten()
    distance = torch.cat([near, border, border - 1, 2**31 - 1 - near]).clamp(0, 2**31 - 1)
    spread = torch.arange(0, 2**32, 999_983)
    word = torch.cat([2**31 + distance, 2**31 - 1 - distance, spread])
    expected = torch.tensor([reference_normal(w) for w in word.tolist()], dtype=torch.float64)
    torch.testing.assert_close(normal_quantile(word), expected, rtol=0, atol=1e-8)


def test_quantile_is_odd_and_bounded() -> None:
    word = torch.arange(0, 2**31, 999_983)
    assert torch.equal(normal_quantile(word), -normal_quantile(2**32 - 1 - word))
    assert normal_quantile(torch.tensor([2**31])).item() == pytest.approx(6.338, abs=1e-3)


@pytest.mark.parametrize("shape", [(), (1,), (5,), (64, 64, 3), (2, 33333)])
def test_a_galaxy_does_not_depend_on_its_batch(shape: tuple[int, ...]) -> None:
    """Also across the internal passes: (2, 33333) is one galaxy per pass, () is all in one."""
    index = torch.tensor([3, 0, 2**40, 17, 3])
    together = normal(5, index, shape, Stream.INITIAL_NOISE)
    assert together.shape == (5, *shape)
    assert together.dtype == torch.float32
    for i in range(len(index)):
        alone = normal(5, index[i : i + 1], shape, Stream.INITIAL_NOISE)
        assert torch.equal(together[i : i + 1], alone)


def test_passes_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    index = torch.arange(1000)
    expected = normal(1, index, (13,), 0), uniform(1, index, 0, 13)
    monkeypatch.setattr(noise, "_CPU_BLOCKS", 7)  # fewer than the blocks of two galaxies
    assert torch.equal(normal(1, index, (13,), 0), expected[0])
    assert torch.equal(uniform(1, index, 0, 13), expected[1])


def test_the_first_numbers_do_not_depend_on_the_count() -> None:
    index = torch.arange(3)
    assert torch.equal(normal(1, index, (10,), 0)[:, :6], normal(1, index, (6,), 0))
    assert torch.equal(uniform(1, index, 0, 10)[:, :5], uniform(1, index, 0, 5))


def test_no_galaxies() -> None:
    assert normal(0, torch.arange(0), (4, 2), 0).shape == (0, 4, 2)
    assert uniform(0, torch.arange(0), 0, 3).shape == (0, 3)


def test_threads_do_not_change_bits() -> None:
    before = torch.get_num_threads()
    draws = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            draws.append(normal(9, torch.arange(8), (64, 64, 3), 0))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*draws)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_same_bits() -> None:
    index = torch.arange(16)
    for draw in (
        lambda index: normal(3, index, (64, 64, 3), Stream.INITIAL_NOISE),
        lambda index: uniform(3, index, Stream.PROPERTY, 1001),
    ):
        assert torch.equal(draw(index.cuda()).cpu(), draw(index))


def test_normal_distribution() -> None:
    """Moments, Kolmogorov-Smirnov and tail counts of a million numbers, within 4 sigma."""
    z = normal(11, torch.arange(1000), (1000,), Stream.INITIAL_NOISE).double().flatten()
    n = z.numel()
    assert abs(z.mean().item()) < 4 / n**0.5
    assert abs(z.var().item() - 1) < 4 * (2 / n) ** 0.5
    assert abs((z**3).mean().item()) < 4 * (15 / n) ** 0.5
    assert abs((z**4).mean().item() - 3) < 4 * (96 / n) ** 0.5
    assert stats.kstest(z.numpy(), "norm").pvalue > 1e-3
    for threshold in (3.0, 4.0):
        expected = 2 * n * stats.norm.sf(threshold)
        assert abs((z.abs() > threshold).sum().item() - expected) < 4 * expected**0.5


def test_uniform_distribution() -> None:
    u = uniform(11, torch.arange(1000), Stream.POPULATION, 500)
    assert u.dtype == torch.float64
    assert u.min() >= 0
    assert u.max() < 1
    assert stats.kstest(u.flatten().numpy(), "uniform").pvalue > 1e-3
    low_bits = (u.flatten() * 2**53).long() & 0xFF  # the end of the mantissa is random, too
    assert stats.chisquare(torch.bincount(low_bits, minlength=256).numpy()).pvalue > 1e-3


def test_neighbours_are_uncorrelated() -> None:
    """Adjacent numbers, galaxies, streams and seeds: 65,536 pairs each, within 4 sigma."""
    n, index = 2**16, torch.arange(2)
    streams = [Stream.SAMPLER_STEP.at(step) for step in (0, 1)]
    base = normal(0, index, (n,), streams[0]).double()
    other_stream = normal(0, index, (n,), streams[1]).double()
    other_seed = normal(1, index, (n,), streams[0]).double()
    pairs = {
        "adjacent numbers": (base[0, :-1], base[0, 1:]),
        "same Philox block": (base[0, ::4], base[0, 3::4]),
        "adjacent galaxies": (base[0], base[1]),
        "adjacent streams": (base[0], other_stream[0]),
        "adjacent seeds": (base[0], other_seed[0]),
        "galaxy against stream": (base[1], other_stream[0]),
    }
    for name, (a, b) in pairs.items():
        assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1]) < 4 / a.numel() ** 0.5, name
        squares = torch.corrcoef(torch.stack([a**2, b**2]))[0, 1]
        assert abs(squares) < 4 / a.numel() ** 0.5, name


def test_streams_never_meet() -> None:
    for low, high in pairwise(sorted(Stream)):
        assert low.at(65535) < high
    assert Stream.SAMPLER_STEP.at(0) == Stream.SAMPLER_STEP
    with pytest.raises(InvalidValueError, match="SAMPLER_STEP offset is 65536"):
        Stream.SAMPLER_STEP.at(65536)
    with pytest.raises(InvalidValueError, match="offset is -1"):
        Stream.CATEGORY.at(-1)


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64])
def test_bad_seed(seed: int) -> None:
    with pytest.raises(InvalidValueError, match=f"seed is {seed}"):
        normal(seed, torch.arange(1), (1,), 0)
    with pytest.raises(InvalidValueError, match=f"seed is {seed}"):
        uniform(seed, torch.arange(1), 0, 1)


@pytest.mark.parametrize("stream", [-1, 2**32])
def test_bad_stream(stream: int) -> None:
    with pytest.raises(InvalidValueError, match="stream"):
        uniform(0, torch.arange(1), stream, 1)


@pytest.mark.parametrize(
    "index",
    [torch.zeros(2), torch.arange(2, dtype=torch.int32), torch.tensor(1), torch.eye(2).long()],
    ids=["float", "int32", "0-d", "2-d"],
)
def test_bad_index(index: torch.Tensor) -> None:
    with pytest.raises(InvalidValueError, match="index"):
        normal(0, index, (1,), 0)
