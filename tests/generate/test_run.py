"""Generation: the same galaxy whatever the batch, and what a user can ask for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from galgen import categories
from galgen.batch import GalaxyBatch
from galgen.errors import (
    InvalidValueError,
)
from galgen.generate import GalaxyModel
from galgen.generate.sampling import Sampling
from galgen.measure import measure
from galgen.model.embedding import Condition
from tests.generate.quick import QUICK, columns, stamps
from tests.tiny import BANDS, SIZE, make_checkpoint

CPU = torch.device("cpu")


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


def test_measured_columns_are_those_of_the_stamps(model: GalaxyModel) -> None:
    (batch,) = model.generate("spiral", 4, sampling=QUICK)
    again = measure(torch.from_numpy(batch.stamps_nbhw).movedim(1, -1), BANDS)
    assert batch.measured.keys() == again.keys()
    for name, column in batch.measured.items():
        assert column.dtype == np.float32
        np.testing.assert_allclose(column, again[name], rtol=1e-4, err_msg=name)


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
