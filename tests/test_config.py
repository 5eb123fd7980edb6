"""Configurations go to JSON and back unchanged, and refuse what cannot work."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from galgen.diffusion.config import DiffusionConfig
from galgen.errors import InvalidValueError
from galgen.model.config import ModelConfig
from galgen.settings import MAX_JSON_BYTES, JsonConfig, parse_json, read_json
from galgen.training.config import TrainConfig
from galgen.training.presets import PRESETS

CONFIGS = {f"{name}-{part}": getattr(PRESETS[name](), part)
           for name in PRESETS for part in ("model", "diffusion", "train")}  # fmt: skip
CONFIGS["model with properties"] = ModelConfig(
    bands=5, fusion="plain", properties=("axis_ratio", "redshift")
)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_json_round_trip(config: JsonConfig) -> None:
    text = json.dumps(config.to_json(), allow_nan=False)
    assert type(config).from_json(json.loads(text)) == config


@pytest.mark.parametrize("kind", [ModelConfig, DiffusionConfig, TrainConfig])
def test_json_is_strict(kind: type[JsonConfig]) -> None:
    with pytest.raises(InvalidValueError, match=r"keys is \['winow'\]; allowed: .*\."):
        kind.from_json({**kind().to_json(), "winow": 8})
    for garbage in (None, [], "window"):
        with pytest.raises(InvalidValueError, match="a JSON object"):
            kind.from_json(garbage)


@dataclass(frozen=True)
class Nested(JsonConfig):
    """Tuples in tuples and in mappings, as descriptions of runs have them."""

    name: str
    ends: tuple[tuple[float, float], ...] = ()
    more: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def test_json_at_any_depth() -> None:
    nested = Nested("a", ((1.5, 2.5), (0.1, 1e300)), {"psf": (1.0, 2.0)})
    assert nested.to_json() == {
        "name": "a",
        "ends": [[1.5, 2.5], [0.1, 1e300]],
        "more": {"psf": [1.0, 2.0]},
    }
    assert Nested.from_json(nested.to_json()) == nested
    assert Nested.from_json({"name": "a"}) == Nested("a")
    with pytest.raises(InvalidValueError, match=r"missing Nested keys is \['name'\]"):
        Nested.from_json({"ends": []})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bands", 0),
        ("bands", 7),
        ("patch", 0),
        ("patch", 3),
        ("patch", 8),
        ("widths", (64, 128)),
        ("widths", (64, 128, 0)),
        ("widths", (64, 128, 272)),  # divides by the group size only
        ("widths", (64, -32, 128)),
        ("blocks", 0),
        ("window", 1),
        ("head_size", 0),
        ("group_size", 0),
        ("group_size", 48),  # 64 does not divide by it
        ("embedding", 255),
        ("embedding", 0),
        ("embedding", -2),
        ("detail_width", 8),  # without features
        ("detail_features", 8),  # without a width
        ("detail_width", -1),
        ("detail_layers", 0),
        ("detail_layers", 65),
        ("fusion", "gate"),
        ("properties", ("axis_ratio", "axis_ratio")),
    ],
)
def test_bad_model(name: str, value: object) -> None:
    expected = "widths" if name == "group_size" and value else name
    both = name in ("detail_features", "detail_width")
    expected = "detail_features, detail_width" if both else expected
    with pytest.raises(InvalidValueError, match=rf"^{expected} is"):
        ModelConfig(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("preconditioning", "ddpm", "preconditioning"),
        ("sigma_data", 0.0, "sigma_data"),
        ("sigma_data", math.nan, "sigma_data"),
        ("sigma_skip", 0.0, "sigma_skip"),
        ("skip_power", 0.5, "skip_power"),
        ("skip_power", 9.0, "skip_power"),
        ("skip_power", math.nan, "skip_power"),
        ("sigma_min", 0.0, "sigma range"),
        ("sigma_min", 80.0, "sigma range"),
        ("sigma_max", 0.001, "sigma range"),
        ("sigma_max", math.inf, "sigma range"),
        ("sigma_last", 0.001, "sigma_last"),  # below what the network has learned
        ("sigma_last", 80.0, "sigma_last"),
        ("sigma_last", math.nan, "sigma_last"),
        ("log_sigma_mean", math.nan, "log_sigma_mean"),
        ("log_sigma_std", 0.0, "log_sigma_std"),
        ("log_sigma_std", -1.0, "log_sigma_std"),
        ("timesteps", 1, "timesteps"),
        ("beta_first", 0.0, "betas"),
        ("beta_first", 0.03, "betas"),
        ("beta_last", 1.0, "betas"),
    ],
)
def test_bad_diffusion(name: str, value: object, named: str) -> None:
    with pytest.raises(InvalidValueError, match=rf"^{named} "):
        DiffusionConfig(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("images", 0),
        ("batch", 0),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("weight_decay", -0.1),
        ("optimizer", "sgd"),
        ("warmup", -1),
        ("cooldown", 1.1),
        ("gradient_clip", 0.0),
        ("label_dropout", -0.1),
        ("property_dropout", 1.1),
        ("all_properties_dropout", math.nan),
        ("balance", 2.0),
        ("validation", 0.0),
        ("validation", 1.0),
        ("checkpoint_minutes", 0.0),
        ("preview_minutes", -5.0),
        ("seed", -1),
        ("seed", 2**31),
    ],
)
def test_bad_training(name: str, value: object) -> None:
    with pytest.raises(InvalidValueError, match=rf"^{name} is {value!r}; allowed"):
        TrainConfig(**{name: value})


@pytest.mark.parametrize(
    ("patch", "size"),
    [
        (1, (4, 4)),  # the coarsest stage is one cell
        (1, (32, 64)),
        (2, (64, 64)),
        (2, (16, 8)),
        (4, (32, 128)),
        (4, (96, 96)),  # 24, 12 and 6 cells: with a window of 12, below
    ],
)
def test_sizes_that_fit(patch: int, size: tuple[int, int]) -> None:
    window = 12 if size == (96, 96) else 8
    ModelConfig(patch=patch, window=window).check_size(*size)


@pytest.mark.parametrize(
    ("patch", "size"),
    [
        (1, (0, 64)),
        (1, (64, -4)),
        (1, (64, 66)),  # 33 cells after the first down-sampling
        (2, (64, 60)),
        (4, (40, 64)),  # 10 cells: not a multiple of 16 pixels
        (2, (48, 64)),  # 24, 12, 6: the 12 cells of stage 1 do not divide by 8
        (4, (64, 96)),
    ],
)
def test_sizes_that_do_not_fit(patch: int, size: tuple[int, int]) -> None:
    with pytest.raises(InvalidValueError, match=rf"stamp size is \({size[0]}, {size[1]}\)"):
        ModelConfig(patch=patch).check_size(*size)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"a": NaN',
        '{"seed": ' + 5000 * "9" + "}",  # Python refuses to convert so many digits
        '{"seed": ' + 400 * "9" + "}",  # overflows as soon as it is made a float
        '{"seed": 18446744073709551616}',
        33 * '{"a": ' + "1" + 33 * "}",
        100_000 * '{"a": ' + "1" + 100_000 * "}",  # RecursionError
        "\xff",
        '{"a": "' + MAX_JSON_BYTES * "x" + '"}',
    ],
    ids=lambda text: text[:12],
)
def test_json_of_strangers_is_bounded(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises((ValueError, RecursionError)):
        read_json(path)


def test_json_may_have_a_byte_order_mark() -> None:
    text = '\ufeff{"seed": -9223372036854775808, "a": ' + 30 * "[" + 30 * "]" + "}"
    assert parse_json(text.encode())["seed"] == -(2**63)
