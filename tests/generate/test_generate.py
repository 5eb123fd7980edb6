"""Generation: the same galaxy whatever the batch, and what a user can ask for or get wrong."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from galgen import categories, noise
from galgen.batch import GalaxyBatch
from galgen.diffusion.samplers import SAMPLERS
from galgen.errors import (
    InvalidValueError,
    NonFiniteOutputError,
    UnknownCategoryError,
    WeightsError,
)
from galgen.generate import GalaxyModel, Run, load_model
from galgen.generate.sampling import Sampling, sample
from galgen.measure import measure
from galgen.model.embedding import Condition
from galgen.noise import Stream
from galgen.request.mixture import Request, parse_mixture
from galgen.system.device import pick_device
from tests.tiny import BANDS, SIZE, make_checkpoint

CPU = torch.device("cpu")
QUICK = Sampling(steps=3, micro_batch=16)


@pytest.fixture(scope="module")
def model(tiny_weights: Path) -> GalaxyModel:
    return load_model(tiny_weights, "cpu")


def columns(run: Run) -> dict[str, np.ndarray]:
    """The whole run as one table."""
    batches = list(run)
    table = {
        "id": np.concatenate([batch.galaxy_id_n for batch in batches]),
        "category": np.concatenate([batch.category_n for batch in batches]),
        "stamps": np.concatenate([batch.stamps_nbhw for batch in batches]),
    }
    for name in batches[0].measured:
        table[name] = np.concatenate([batch.measured[name] for batch in batches])
    return table


def stamps(model: GalaxyModel, category: str = "spiral", n: int = 4, **options) -> np.ndarray:
    return columns(model.generate(category, n, sampling=QUICK, **options))["stamps"]


def test_batches(model: GalaxyModel) -> None:
    run = model.generate("spiral", 20, seed=7, sampling=QUICK)
    assert len(run) == 20
    batches = list(run)
    assert [len(batch) for batch in batches] == [16, 4]
    for batch in batches:
        assert isinstance(batch, GalaxyBatch)
        assert batch.stamps_nbhw.shape == (len(batch), 3, SIZE, SIZE)
        assert batch.stamps_nbhw.dtype == np.float32
        assert batch.category_n.dtype == np.int16
        assert batch.bands == BANDS
        assert batch.seed == 7
        assert set(batch.category_n) == {categories.get("spiral").code}
    assert np.concatenate([batch.galaxy_id_n for batch in batches]).tolist() == list(range(20))


def test_galaxies_are_not_alike(model: GalaxyModel) -> None:
    """The random network is far from trivial, or nothing below would be a test."""
    made = stamps(model, n=8)
    peak = np.abs(made).max(axis=(1, 2, 3))
    for i in range(8):
        assert made[i].std() > 0.02 * peak[i] > 0
        for other in range(i):
            assert np.abs(made[i] - made[other]).max() > 0.1 * peak[i]


def test_micro_batch_changes_last_bits_at_most(model: GalaxyModel) -> None:
    """n = 33 in sevens and sixteens: same galaxies, stamps within 1e-4 of their peak."""
    asked = {"category": "spiral:0.6,smooth:0.4", "n": 33, "seed": 3}
    one, other = (
        columns(model.generate(**asked, sampling=dataclasses.replace(QUICK, micro_batch=size)))
        for size in (7, 16)
    )
    np.testing.assert_array_equal(one["id"], other["id"])
    np.testing.assert_array_equal(one["category"], other["category"])
    peak = np.abs(other["stamps"]).max(axis=(1, 2, 3), keepdims=True)
    assert (np.abs(one["stamps"] - other["stamps"]) / peak).max() < 1e-4


def test_noise_does_not_know_the_micro_batch(model: GalaxyModel) -> None:
    """What the network is given, initially and in each step, has the same bits."""
    seen: dict[int, list[torch.Tensor]] = {}
    vp = make_checkpoint(preconditioning="vp").denoiser
    handle = vp.net.register_forward_pre_hook(lambda _, args: batch.append(args[0].clone()))
    for size in (2, 6):
        batch: list[torch.Tensor] = []
        for first in range(0, 6, size):
            index_n = torch.arange(first, first + size)
            condition = Condition(index_n % 3, torch.full((size, 5), torch.nan))
            sampling = Sampling("ddpm", steps=1, micro_batch=size)
            sample(vp, condition, index_n, 5, (SIZE, SIZE, 3), sampling)
        seen[size] = torch.cat(batch)
    handle.remove()
    assert torch.equal(seen[2], seen[6])
    expected = noise.normal(5, torch.arange(6), (SIZE, SIZE, 3), Stream.INITIAL_NOISE)
    torch.testing.assert_close(seen[2], expected, rtol=1e-4, atol=1e-4)  # c_in sigma is almost 1


def test_every_step_has_its_own_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def normal(seed: int, index_n: torch.Tensor, shape: tuple, stream: int) -> torch.Tensor:
        drawn.append((seed, stream))
        return torch.zeros(len(index_n), *shape)

    monkeypatch.setattr(noise, "normal", normal)
    condition = Condition(torch.tensor([1]), torch.full((1, 5), torch.nan))
    sampling = Sampling("ddpm", steps=4, micro_batch=1)
    sample(make_checkpoint().denoiser, condition, torch.arange(1), 5, (SIZE, SIZE, 3), sampling)
    steps = [Stream.SAMPLER_STEP.at(step) for step in range(3)]
    assert drawn == [(5, stream) for stream in (Stream.INITIAL_NOISE, *steps)]


@pytest.mark.parametrize("micro_batch", [7, 16])
def test_more_galaxies_do_not_change_the_first(model: GalaxyModel, micro_batch: int) -> None:
    """33 and 20, neither of them whole micro-batches: bit for bit, measurements included.

    That holds wherever the network is given whole micro-batches only.
    """
    sizes: set[int] = set()
    net = model.checkpoint.denoiser.net
    handle = net.register_forward_pre_hook(lambda _, args: sizes.add(len(args[0])))
    sampling = dataclasses.replace(QUICK, micro_batch=micro_batch)
    many, few = (
        columns(model.generate("disk,smooth", n, seed=1, sampling=sampling)) for n in (33, 20)
    )
    handle.remove()
    for name, column in few.items():
        np.testing.assert_array_equal(many[name][:20], column, err_msg=name)
    assert sizes == {micro_batch}


@pytest.mark.parametrize(
    "ranges",
    [
        [(0, 37)],
        [(16, 32)],  # one micro-batch
        [(5, 7), (30, 37)],  # within one, and across two to the end
        [(20, 20), (36, 37)],  # nothing, and the last
    ],
)
def test_ranges_of_a_run(model: GalaxyModel, ranges: list[tuple[int, int]]) -> None:
    run = model.generate("spiral:0.5,smooth:0.5", 37, seed=3, sampling=QUICK)
    whole, part = columns(run), list(run.batches(ranges))
    made = np.concatenate([batch.galaxy_id_n for batch in part])
    assert made.tolist() == [i for start, stop in ranges for i in range(start, stop)]
    got = np.concatenate([batch.stamps_nbhw for batch in part])
    assert np.array_equal(got, whole["stamps"][made])
    assert np.array_equal(
        np.concatenate([batch.category_n for batch in part]), whole["category"][made]
    )


@pytest.mark.parametrize("threads", [2, 3, 5])  # 3 and 5 do not divide the work evenly
def test_bits_do_not_depend_on_the_number_of_cores(model: GalaxyModel, threads: int) -> None:
    run, before = model.generate("spiral", 70, seed=2, sampling=QUICK), torch.get_num_threads()
    tables = []
    try:
        for count in (1, threads):
            torch.set_num_threads(count)
            tables.append(columns(run))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(before)
    for name, column in tables[0].items():
        assert np.array_equal(column, tables[1][name], equal_nan=column.dtype.kind == "f"), name


@pytest.mark.parametrize("wrong", [(-1, 3), (3, 38), (5, 4)])
def test_ranges_outside_a_run(model: GalaxyModel, wrong: tuple[int, int]) -> None:
    run = model.generate("spiral", 37, sampling=QUICK)
    with pytest.raises(InvalidValueError, match="range of galaxies"):
        list(run.batches([wrong]))


def test_a_run_can_be_repeated(model: GalaxyModel) -> None:
    run = model.generate("spiral", 5, sampling=QUICK)
    np.testing.assert_array_equal(columns(run)["stamps"], columns(run)["stamps"])


def test_seeds_differ(model: GalaxyModel) -> None:
    assert np.abs(stamps(model, seed=0) - stamps(model, seed=1)).max() > 0.1


def test_mixture(model: GalaxyModel) -> None:
    """Each galaxy draws its own category; the stamps follow it."""
    table = columns(model.generate("spiral:3,merging:1", 200, sampling=Sampling(steps=1)))
    share = (table["category"] == categories.get("spiral").code).mean()
    assert share == pytest.approx(0.75, abs=4 * np.sqrt(0.75 * 0.25 / 200))
    assert set(table["category"]) == {categories.get(c).code for c in ("spiral", "merging")}


def test_category_has_an_effect(model: GalaxyModel) -> None:
    """From the same noise and, without the population, nothing else."""
    one, other = (stamps(model, c, population=False) for c in ("barred", "tight"))
    assert np.abs(one - other).max() > 0.01 * np.abs(one).max()


def test_properties_have_an_effect(model: GalaxyModel) -> None:
    free = stamps(model, population=False)
    drawn = stamps(model)
    given = stamps(model, population=False, properties={"axis_ratio": 0.5})
    ranged = stamps(model, population=False, properties={"axis_ratio": (0.3, 0.9)})
    every = [free, drawn, given, ranged]
    for i, one in enumerate(every):
        for other in every[:i]:
            assert np.abs(one - other).max() > 1e-3 * np.abs(one).max()


def test_what_the_network_is_asked(model: GalaxyModel) -> None:
    """Given properties arrive standardised, the others from the population."""
    asked: list[Condition] = []
    population = model.checkpoint.population
    column = population.names.index("axis_ratio")
    net = model.checkpoint.denoiser.net
    handle = net.register_forward_pre_hook(lambda _, args: asked.append(args[2]))
    sampling = Sampling(steps=1, micro_batch=4)
    list(model.generate("spiral", 4, properties={"axis_ratio": 0.5}, sampling=sampling))
    handle.remove()
    z_np = asked[0].properties_np
    assert (z_np[:, column] == np.float32(population.standardise("axis_ratio", 0.5))).all()
    assert z_np.isfinite().double().mean() > 0.7
    assert (asked[0].category_n == categories.get("spiral").code).all()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_samplers(model: GalaxyModel, sampler: str) -> None:
    made = columns(model.generate("disk", 3, sampling=Sampling(sampler, steps=4, micro_batch=4)))
    assert np.isfinite(made["stamps"]).all()


def test_guidance(model: GalaxyModel) -> None:
    """Of no effect at 1; at 0 the condition has none."""
    guided = {
        scale: columns(
            model.generate("spiral", 2, sampling=dataclasses.replace(QUICK, guidance=scale))
        )["stamps"]
        for scale in (0.0, 1.0, 3.0)
    }
    np.testing.assert_array_equal(guided[1.0], stamps(model, n=2))
    assert np.abs(guided[3.0] - guided[1.0]).max() > 0.01 * np.abs(guided[1.0]).max()
    nothing = columns(
        model.generate("galaxy", 2, population=False, sampling=dataclasses.replace(QUICK))
    )["stamps"]
    peak = np.abs(nothing).max()
    np.testing.assert_allclose(guided[0.0], nothing, atol=1e-3 * peak)


def test_guidance_evaluations(model: GalaxyModel) -> None:
    """One evaluation per step at scale 1, two otherwise: guidance costs only where it is used."""
    calls: list[int] = []
    handle = model.checkpoint.denoiser.net.register_forward_pre_hook(
        lambda _, args: calls.append(len(args[0]))
    )
    for guidance in (1.0, 2.0):
        sampling = Sampling("ddim", steps=3, micro_batch=2, guidance=guidance)
        list(model.generate("disk", 2, sampling=sampling))
    handle.remove()
    assert calls == [2] * (3 + 6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_mixed_precision(model: GalaxyModel, dtype: str) -> None:
    """Close to float32 in model space terms, and not silently the same."""
    full = stamps(model)
    mixed = columns(model.generate("spiral", 4, sampling=dataclasses.replace(QUICK, dtype=dtype)))[
        "stamps"
    ]
    assert mixed.dtype == np.float32
    assert not np.array_equal(mixed, full)
    display = [model.checkpoint.space._stretch().to_display(torch.from_numpy(x).movedim(1, -1))
               for x in (full, mixed)]  # fmt: skip
    assert (display[0] - display[1]).abs().mean() < 0.02


def test_measured_columns_are_those_of_the_stamps(model: GalaxyModel) -> None:
    (batch,) = model.generate("spiral", 4, sampling=QUICK)
    again = measure(torch.from_numpy(batch.stamps_nbhw).movedim(1, -1), BANDS)
    assert batch.measured.keys() == again.keys()
    for name, column in batch.measured.items():
        assert column.dtype == np.float32
        np.testing.assert_allclose(column, again[name], rtol=1e-4, err_msg=name)


def test_vp_model_visits_the_levels_it_was_trained_on() -> None:
    denoiser = make_checkpoint(preconditioning="vp").denoiser
    ancestral = Sampling("ddpm", steps=1000).sigmas(denoiser)
    assert len(ancestral) == 1001
    for name in ("ddim", "dpmpp-2m"):
        sigmas = Sampling(name, steps=10).sigmas(denoiser)
        assert sigmas[0].item() == pytest.approx(ancestral[0].item())
        assert sigmas[-2].item() == pytest.approx(ancestral[-2].item())
    edm = Sampling("ddpm", steps=2000).sigmas(make_checkpoint().denoiser)
    assert (edm[0].item(), edm[-2].item()) == pytest.approx((80, 0.002))


def test_vp_model(tmp_path: Path) -> None:
    model = GalaxyModel(make_checkpoint(preconditioning="vp", timesteps=20), CPU)
    for name in ("ddpm", "dpmpp-2m"):
        run = model.generate("disk", 2, sampling=Sampling(name, steps=4, micro_batch=2))
        assert np.isfinite(columns(run)["stamps"]).all()
    with pytest.raises(InvalidValueError, match="steps is 21; allowed: 1 to 20"):
        model.generate("disk", 2, sampling=Sampling("ddpm", steps=21))


def test_nan_stops_and_says_where() -> None:
    """The network breaks down for merging galaxies: batches before the first of them are good."""
    loaded = make_checkpoint()
    merging = categories.get("merging").code

    def break_down(_: object, args: tuple, out: torch.Tensor) -> torch.Tensor:
        return out.masked_fill((args[2].category_n == merging)[:, None, None, None], torch.nan)

    loaded.denoiser.net.register_forward_hook(break_down)
    mixture, seed = parse_mixture("spiral:12,merging:1"), 5
    run = Run(loaded, CPU, Request(mixture, seed=seed), 64, Sampling(steps=1, micro_batch=4))
    code_n, _ = Request(mixture, seed=seed).draw(loaded.population, torch.arange(64))
    first = int((code_n == merging).nonzero()[0])
    assert first >= 4
    assert first % 4
    good = []
    with pytest.raises(NonFiniteOutputError, match=rf"galaxy {first} in float32") as caught:  # noqa: PT012 - batches before count
        for batch in run:
            good.append(batch)
    assert sum(len(batch) for batch in good) == first // 4 * 4
    assert f"galaxies before {first // 4 * 4} are good" in str(caught.value)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_one_bad_pixel_is_enough(value: float) -> None:
    loaded = make_checkpoint()

    def break_down(_: object, args: tuple, out: torch.Tensor) -> torch.Tensor:
        out[2, 5, 7, 1] = value
        return out

    loaded.denoiser.net.register_forward_hook(break_down)
    model, sampling = GalaxyModel(loaded, CPU), Sampling(steps=1, micro_batch=4)
    with pytest.raises(NonFiniteOutputError, match="galaxy 2"):
        list(model.generate("spiral", 4, sampling=sampling))
    assert len(columns(model.generate("spiral", 2, sampling=sampling))["id"]) == 2  # 2 is padding


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"category": "sprial"}, UnknownCategoryError, "Did you mean 'spiral'"),
        ({"category": "spiral:-1"}, InvalidValueError, "weight of spiral"),
        ({"n": 0}, InvalidValueError, "n is 0"),
        ({"n": -5}, InvalidValueError, "n is -5"),
        ({"n": 2.5}, InvalidValueError, "n is 2.5"),
        ({"seed": -1}, InvalidValueError, "seed is -1"),
        ({"seed": 2**63}, InvalidValueError, "seed"),
        ({"properties": {"redshift": 0.1}}, InvalidValueError, "property is 'redshift'"),
        ({"properties": {"axis_ratio": 1.7}}, InvalidValueError, "property axis_ratio is 1.7"),
        ({"properties": {"axis_ratio": (0.5, 0.3)}}, InvalidValueError, "low:high"),
    ],
)
def test_bad_requests_fail_before_work_begins(
    model: GalaxyModel, arguments: dict, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        model.generate(**{"category": "spiral", "n": 4, **arguments})


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"sampler": "dpmpp2m"}, "sampler is 'dpmpp2m'.*Did you mean dpmpp-2m"),
        ({"steps": 0}, "steps is 0"),
        ({"micro_batch": 0}, "micro_batch is 0"),
        ({"guidance": -1.0}, "guidance is -1"),
        ({"guidance": 21.0}, "guidance is 21"),
        ({"guidance": float("nan")}, "guidance is nan"),
        ({"dtype": "float64"}, "dtype is 'float64'; allowed: float32, bfloat16, float16"),
    ],
)
def test_bad_sampling(changes: dict, match: str) -> None:
    with pytest.raises(InvalidValueError, match=match):
        Sampling(**changes)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:x", "meta", "xpu"])
def test_bad_device(tiny_weights: Path, device: str) -> None:
    with pytest.raises(InvalidValueError, match=f"device is '{device}'; allowed: .*cpu"):
        load_model(tiny_weights, device)


def test_devices() -> None:
    assert pick_device("cpu") == CPU
    assert pick_device(CPU) == CPU
    assert pick_device().type in ("cuda", "mps", "cpu")


def test_no_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights here"):
        load_model(tmp_path / "nothing", "cpu")


def test_provenance(model: GalaxyModel) -> None:
    """Everything the bytes depend on is recorded."""
    sampling = Sampling("unipc", 5, 1.5, 8, "bfloat16")
    info = model.generate(
        "spiral:2,smooth", 9, seed=4, properties={"axis_ratio": 0.5}, sampling=sampling
    ).info
    assert (info.n, info.seed, info.bands) == (9, 4, BANDS)
    assert (info.height, info.width) == (SIZE, SIZE)
    assert info.request == "spiral:2.0,smooth:1.0 axis_ratio=0.5:0.5"
    assert (info.flux_unit, info.flux_calibration, info.lupton) == ("adu", "RGBINV", "sdss")
    assert info.zero_point is None
    assert info.weights_sha256 == model.checkpoint.sha256
    assert (info.device, info.kernels) == ("cpu", "reference")
    recorded = (info.sampler, info.steps, info.guidance, info.micro_batch, info.dtype)
    assert recorded == ("unipc", 5, 1.5, 8, "bfloat16")
    assert info.versions["torch"] == torch.__version__


def test_flux_model_is_calibrated() -> None:
    loaded = make_checkpoint()
    space = dataclasses.replace(
        loaded.space, native="flux", softening=0.01, lupton=None, pixel_scale=0.4
    )
    run = GalaxyModel(dataclasses.replace(loaded, space=space), CPU).generate(
        "disk", 2, sampling=QUICK
    )
    info = run.info
    assert (info.flux_unit, info.flux_calibration) == ("nanomaggy", "LINEAR")
    assert (info.zero_point, info.pixel_scale, info.lupton) == (22.5, 0.4, None)
    assert np.isfinite(columns(run)["stamps"]).all()


@pytest.mark.parametrize(
    ("device", "micro_batch", "dtype"),
    [("cpu", 32, "float32"), ("mps", 512, "float32"), ("cuda", 512, "bfloat16")],
)
def test_defaults_suit_the_device(device: str, micro_batch: int, dtype: str) -> None:
    default = Sampling.on(torch.device(device))
    assert (default.micro_batch, default.dtype) == (micro_batch, dtype)
    chosen = Sampling.on(torch.device(device), micro_batch=7, steps=3, dtype="float16")
    assert (chosen.micro_batch, chosen.steps, chosen.dtype) == (7, 3, "float16")


@pytest.mark.parametrize(
    ("device", "dtype", "compile", "expected"),
    [
        ("cpu", "bfloat16", False, "reference"),
        ("cpu", "float32", True, "reference+compiled"),
        ("cuda", "float32", False, "reference"),  # fused kernels are for half precision
    ],
)
def test_kernels_recorded(device: str, dtype: str, compile: bool, expected: str) -> None:
    sampling = Sampling(dtype=dtype, compile=compile)
    assert sampling.kernels_on(torch.device(device)) == expected
