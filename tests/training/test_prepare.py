"""From data files to training inputs."""

from __future__ import annotations

import csv
import dataclasses
import io
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from galgen import categories
from galgen.config import Preset
from galgen.data import open_stamps
from galgen.errors import DataError, InvalidValueError
from galgen.measure import measure
from galgen.presets import tiny
from galgen.training.prepare import measured_properties, prepare

NAMES = ("half_light_radius", "axis_ratio", "color_g_r", "color_r_i", "surface_brightness")


def preset(validation: float = 0.2) -> Preset:
    made = tiny()
    return dataclasses.replace(
        made, train=dataclasses.replace(made.train, batch=4, validation=validation)
    )


def with_columns(source: Path, target: Path, **columns: str) -> Path:
    """Copy an image folder, with more columns of one value in labels.csv."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "labels.csv":
                rows = list(csv.DictReader(io.StringIO(content.decode())))
                text = io.StringIO()
                writer = csv.DictWriter(text, [*rows[0], *columns])
                writer.writeheader()
                writer.writerows({**row, **columns} for row in rows)
                content = text.getvalue().encode()
            new.writestr(name, content)
    return target


def write_flux(path: Path, shape: tuple[int, int], bands: tuple[str, ...] = ("g", "r")) -> Path:
    """40 round galaxies of different sizes on noisy sky."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: shape[0], : shape[1]]
    r = np.hypot(y - shape[0] / 2 + 0.5, x - shape[1] / 2 + 0.5)
    scale = rng.uniform(1.0, 2.0, (40, 1, 1, 1))
    flux = 5 * np.exp(-r / scale) * np.linspace(1, 2, len(bands))[:, None, None]
    flux += 0.05 * rng.standard_normal(flux.shape)
    with h5py.File(path, "w") as file:
        file["flux"] = flux.astype(np.float32)
        file["category"] = np.full(40, categories.get("round").code)
        file["redshift"] = np.linspace(0.01, 0.2, 40)
        file.attrs["bands"] = list(bands)
    return path


def test_real_galaxies(galaxies: Path) -> None:
    prepared = prepare([galaxies], preset())
    model = prepared.preset.model
    assert (model.bands, model.properties) == (3, NAMES)
    assert prepared.population.names == NAMES
    assert prepared.size == 64
    assert (prepared.space.native, prepared.space.lupton) == ("display", "sdss")
    training, validation = prepared.training.stamps, prepared.validation.stamps
    assert sorted([*training.ids, *validation.ids]) == sorted(open_stamps(galaxies).ids)
    assert min(len(training), len(validation)) > 0
    np.testing.assert_array_equal(prepared.population.code_n, training.category)
    assert prepared.population.z_np is prepared.training.z_np
    assert np.isfinite(prepared.training.z_np).mean() > 0.9
    assert prepared.validation.z_np.shape == (len(validation), 5)
    x_bhwc = prepared.training.batch(0).x_bhwc
    assert x_bhwc.shape == (4, 64, 64, 3)


def test_the_rest_of_the_preset_is_kept(galaxies: Path) -> None:
    given = preset()
    got = prepare([galaxies], given).preset
    model = dataclasses.replace(given.model, bands=3, properties=NAMES)
    assert got == dataclasses.replace(given, model=model)


def test_held_out_galaxies_are_scaled_like_the_others(galaxies: Path) -> None:
    """Nothing of the population is fitted on them."""
    prepared = prepare([galaxies], preset())
    flux_nhwc = prepared.space.to_flux(
        prepared.space.encode(prepared.validation.stamps.native_float())
    )
    ratio_n = measure(flux_nhwc, prepared.space.bands)["AXIS_RATIO"].numpy()
    column = NAMES.index("axis_ratio")
    z_n = (ratio_n - prepared.population.centre[column]) / prepared.population.scale[column]
    np.testing.assert_allclose(
        prepared.validation.z_np[:, column], np.clip(z_n, -4, 4), rtol=1e-5, atol=1e-5
    )


def test_chunks_do_not_show(galaxies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = open_stamps(galaxies, 32)
    space = prepare([galaxies], preset(), size=32).space
    whole = measured_properties(stamps, space, NAMES)
    # The package's name for the module is taken by the function.
    monkeypatch.setattr(sys.modules[prepare.__module__], "_CHUNK", 7)
    np.testing.assert_allclose(measured_properties(stamps, space, NAMES), whole, rtol=1e-5)


def test_size(galaxies: Path) -> None:
    prepared = prepare([galaxies], preset(), size=32)
    assert prepared.size == 32
    assert prepared.training.batch(0).x_bhwc.shape == (4, 32, 32, 3)


def test_redshift_is_a_property_where_there_is_one(galaxies: Path, tmp_path: Path) -> None:
    copy = with_columns(galaxies, tmp_path / "z.zip", redshift="0.125")
    prepared = prepare([copy], preset(), size=32)
    assert prepared.preset.model.properties == (*NAMES, "redshift")
    assert prepared.population.centre[-1] == 0.125
    nothing = with_columns(galaxies, tmp_path / "none.zip", redshift="")
    assert prepare([nothing], preset(), size=32).preset.model.properties == NAMES


def test_measured_beats_catalogued(galaxies: Path, tmp_path: Path) -> None:
    """Generated stamps will be measured, too, in pixels: a column in arcsec means another thing."""
    copy = with_columns(galaxies, tmp_path / "r.zip", half_light_radius="1.0", axis_ratio="7")
    got, plain = (prepare([path], preset(), size=32).population for path in (copy, galaxies))
    np.testing.assert_array_equal(got.z_np, plain.z_np)
    np.testing.assert_array_equal(got.centre, plain.centre)


def test_several_files(galaxies: Path, tmp_path: Path) -> None:
    """The same galaxies twice are refused by their ids."""
    copy = with_columns(galaxies, tmp_path / "copy.zip")
    with pytest.raises(DataError, match="appears 2 times"):
        prepare([galaxies, copy], preset())


def test_linear_flux(tmp_path: Path) -> None:
    prepared = prepare([write_flux(tmp_path / "flux.h5", (16, 16))], preset())
    assert prepared.space.native == "flux"
    assert prepared.preset.model.bands == 2
    names = ("half_light_radius", "axis_ratio", "color_g_r", "surface_brightness", "redshift")
    assert prepared.preset.model.properties == names
    colour = prepared.population.centre[names.index("color_g_r")]
    assert colour == pytest.approx(2.5 * np.log10(2), abs=0.1)  # r is twice as bright


def test_stamps_have_to_be_square(tmp_path: Path) -> None:
    """Samples would be; a rectangle can be cut by giving a size."""
    path = write_flux(tmp_path / "flux.h5", (16, 32))
    with pytest.raises(InvalidValueError, match=r"stamp shape is \(16, 32\).*Give a size"):
        prepare([path], preset())
    assert prepare([path], preset(), size=16).size == 16


def test_stamps_have_to_fit_the_network(galaxies: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"stamp size is \(20, 20\)"):
        prepare([galaxies], preset(), size=20)


def test_too_few_galaxies(galaxies: Path) -> None:
    with pytest.raises(InvalidValueError, match="galaxies is 24; allowed: enough to hold some out"):
        prepare([galaxies], preset(validation=1e-9))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.zip: no such file"):
        prepare([tmp_path / "nowhere.zip"], preset())
