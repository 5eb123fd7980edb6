"""What a user asks for, and how each galaxy of it is drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from galgen import categories
from galgen.errors import InvalidValueError, UnknownCategoryError
from galgen.request.mixture import MAX_SEED, Request, parse_mixture, parse_properties
from galgen.request.population import Population
from tests.tiny import make_population

SPIRAL, SMOOTH, BARRED = (categories.get(name).code for name in ("spiral", "smooth", "barred"))


@pytest.fixture(scope="module")
def population() -> Population:
    return make_population()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spiral", ((SPIRAL, 1.0),)),
        ("spiral:0.6,smooth:0.4", ((SPIRAL, 0.6), (SMOOTH, 0.4))),
        (" Spiral : 3 , disk/spiral/barred ", ((SPIRAL, 3.0), (BARRED, 1.0))),
    ],
)
def test_parse_mixture(text: str, expected: tuple) -> None:
    assert parse_mixture(text) == expected


@pytest.mark.parametrize("text", ["spirale", "", "spiral,,smooth", "spiral,", ":1"])
def test_unknown_category(text: str) -> None:
    with pytest.raises(UnknownCategoryError, match="The tree"):
        parse_mixture(text)


@pytest.mark.parametrize("weight", ["", "many", "1:2", "nan", "inf"])
def test_weight_is_no_number(weight: str) -> None:
    with pytest.raises(InvalidValueError, match="weight of spiral"):
        parse_mixture(f"smooth,spiral:{weight}")


def test_parse_properties() -> None:
    parsed = parse_properties(["axis_ratio=0.5", "color_g_r=-0.1:0.7"])
    assert parsed == {"axis_ratio": (0.5, 0.5), "color_g_r": (-0.1, 0.7)}


@pytest.mark.parametrize(
    "item",
    [
        "axis_ratio",
        "axis_ratio=",
        "axis_ratio=:1",
        "axis_ratio=1:",
        "axis_ratio=1:2:3",
        "axis_ratio=nan",
        "axis_ratio=a:b",
    ],
)
def test_bad_property_text(item: str) -> None:
    with pytest.raises(InvalidValueError, match="property"):
        parse_properties([item])


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"seed": MAX_SEED + 1}, "seed"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"mixture": ()}, "at least one"),
        ({"mixture": ((SPIRAL, 0.0),)}, "weight of spiral is 0.0"),
        ({"mixture": ((SPIRAL, 1.0), (SMOOTH, -1.0))}, "weight of smooth"),
        ({"mixture": ((SPIRAL, math.nan),)}, "weight of spiral"),
        ({"mixture": ((99, 1.0),)}, "category is 99"),
        ({"properties": {"axis_ratio": (0.7, 0.5)}}, "property axis_ratio is '0.7:0.5'"),
        ({"properties": {"axis_ratio": (0.7, math.nan)}}, "property axis_ratio"),
    ],
)
def test_bad_request(changes: dict, match: str) -> None:
    with pytest.raises(InvalidValueError, match=match):
        Request(**{"mixture": ((SPIRAL, 1.0),), **changes})


def test_described_as_the_command_line_takes_it() -> None:
    """Every digit is there: a file can be made again from its header."""
    mixture = ((SPIRAL, 2 / 3), (SMOOTH, 1 / 3))
    properties = {"axis_ratio": (0.123456789, 0.5), "color_g_r": (0.4, 0.4)}
    text = Request(mixture, properties).as_text()
    first, *rest = text.split()
    assert parse_mixture(first) == mixture
    assert parse_properties(rest) == properties
    assert Request(mixture, population=False).as_text().endswith(" no-population")


def test_proportions() -> None:
    request = Request(parse_mixture("spiral:3,smooth:1"), seed=5)
    code_n = request.ask(make_population(), torch.arange(4000)).code_n
    share = (code_n == SPIRAL).double().mean().item()
    assert share == pytest.approx(0.75, abs=4 * math.sqrt(0.75 * 0.25 / 4000))
    assert set(code_n.tolist()) == {SPIRAL, SMOOTH}
    assert code_n.dtype == torch.int64


def test_a_galaxy_is_the_same_in_every_batch(population: Population) -> None:
    request = Request(
        parse_mixture("spiral:2,smooth:1,barred:1"), {"axis_ratio": (0.3, 0.9)}, seed=3
    )
    index_n = torch.tensor([5, 0, 2**40, 17, 3])
    together = request.ask(population, index_n)
    for i in range(len(index_n)):
        alone = request.ask(population, index_n[i : i + 1])
        assert alone.code_n == together.code_n[i]
        np.testing.assert_array_equal(alone.z_np[0], together.z_np[i])


def test_seeds_differ(population: Population) -> None:
    one, other = (
        Request(parse_mixture("spiral,smooth"), seed=seed).ask(population, torch.arange(50))
        for seed in (0, 1)
    )
    assert not torch.equal(one.code_n, other.code_n)
    assert not torch.equal(one.z_np, other.z_np)


def test_given_range_is_filled_evenly(population: Population) -> None:
    request = Request(((SPIRAL, 1.0),), {"axis_ratio": (0.4, 0.8)})
    z_np = request.ask(population, torch.arange(2000)).z_np
    column = population.names.index("axis_ratio")
    value_n = z_np[:, column].numpy() * population.scale[column] + population.centre[column]
    assert value_n.min() == pytest.approx(0.4, abs=0.001)
    assert value_n.max() == pytest.approx(0.8, abs=0.001)
    assert value_n.mean() == pytest.approx(0.6, abs=0.012)


def test_given_value_is_exact_and_others_are_drawn(population: Population) -> None:
    request = Request(((SPIRAL, 1.0),), {"axis_ratio": (0.5, 0.5)})
    z_np = request.ask(population, torch.arange(100)).z_np
    column = population.names.index("axis_ratio")
    assert (z_np[:, column] == np.float32(population.standardise("axis_ratio", 0.5))).all()
    others = np.delete(z_np.numpy(), column, axis=1)
    assert np.nanstd(others, axis=0).min() > 0.1


def test_without_population_only_what_is_given(population: Population) -> None:
    request = Request(((SPIRAL, 1.0),), {"axis_ratio": (0.5, 0.6)}, population=False)
    z_np = request.ask(population, torch.arange(20)).z_np
    given = torch.tensor([name == "axis_ratio" for name in population.names])
    assert torch.equal(z_np.isfinite(), given.expand(20, -1))


def test_properties_do_not_share_random_numbers(population: Population) -> None:
    """Nor does the order in which they are asked for matter."""
    ranges = {"axis_ratio": (0.3, 0.9), "color_g_r": (0.3, 0.9)}
    index_n = torch.arange(1000)
    z_np = Request(((SPIRAL, 1.0),), ranges).ask(population, index_n).z_np
    columns = [population.names.index(name) for name in ranges]
    assert abs(torch.corrcoef(z_np[:, columns].T)[0, 1]) < 4 / math.sqrt(1000)
    turned = dict(reversed(ranges.items()))
    again = Request(((SPIRAL, 1.0),), turned).ask(population, index_n).z_np
    np.testing.assert_array_equal(again, z_np)


def test_choice_and_jitter_do_not_share_random_numbers(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []

    def draw(self: Population, code: int, given: dict, pick_n: np.ndarray, jitter_np: np.ndarray):
        seen.append(np.column_stack([pick_n, jitter_np]))
        return jitter_np

    monkeypatch.setattr(Population, "draw", draw)
    Request(((SPIRAL, 1.0),)).ask(population, torch.arange(2000))
    correlation = np.corrcoef(np.concatenate(seen).T)
    assert np.abs(correlation - np.eye(len(correlation))).max() < 4 / math.sqrt(2000)


def test_category_does_not_depend_on_what_else_is_asked(population: Population) -> None:
    mixture = parse_mixture("spiral,smooth")
    index_n = torch.arange(50)
    plain = Request(mixture).ask(population, index_n).code_n
    given = Request(mixture, {"axis_ratio": (0.4, 0.5)}).ask(population, index_n).code_n
    free = Request(mixture, population=False).ask(population, index_n).code_n
    assert torch.equal(plain, given)
    assert torch.equal(plain, free)


def test_model_without_properties() -> None:
    empty = Population.fit((), np.empty((9, 0)), np.zeros(9, np.int64))
    asked = Request(((SPIRAL, 1.0),)).ask(empty, torch.arange(4))
    assert asked.code_n.tolist() == [SPIRAL] * 4
    assert asked.z_np.shape == (4, 0)


def test_check(population: Population) -> None:
    Request(((SPIRAL, 1.0),), {"axis_ratio": (0.4, 0.5)}).check(population)
    with pytest.raises(InvalidValueError, match="property is 'redshift'; allowed: half_light"):
        Request(((SPIRAL, 1.0),), {"redshift": (0.1, 0.1)}).check(population)
    with pytest.raises(InvalidValueError, match=r"property axis_ratio is 1\.5"):
        Request(((SPIRAL, 1.0),), {"axis_ratio": (0.4, 1.5)}).check(population)


@pytest.mark.parametrize(
    ("mixture", "said"),
    [
        ("spiral", ""),
        ("spiral:0.6,smooth:0.4", ""),
        ("spiral:0.1,smooth:0.2,merging:0.7", ""),
        ("spiral:2,smooth:1", ""),  # ratios
        ("spiral:60,smooth:40", ""),
        ("spiral:0.6,smooth:0.6", "add up to 1.2, not 1: made are spiral 50.000%, smooth 50.000%"),
        ("spiral:0.25", "add up to 0.25, not 1: made are spiral 100.000%"),
        ("spiral:0.5,smooth", "add up to 1.5, not 1: made are spiral 33.333%, smooth 66.667%"),
    ],
)
def test_weights_that_are_no_shares(mixture: str, said: str):
    got = Request(parse_mixture(mixture)).explain()
    assert got == (f"the weights of the mixture {said}" if said else "")
