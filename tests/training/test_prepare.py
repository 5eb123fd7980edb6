"""From data files to training inputs."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from galgen import categories
from galgen.data import open_stamps
from galgen.errors import DataError, InvalidValueError
from galgen.measure import measure, property_names
from galgen.training.config import Preset
from galgen.training.gather import gather
from galgen.training.prepare import prepare
from galgen.training.presets import tiny

NAMES = property_names("gri")


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
    np.testing.assert_array_equal(prepared.population.z_np, prepared.training.z_np)
    assert np.isfinite(prepared.training.z_np).mean() > 0.9
    assert prepared.validation.z_np.shape == (len(validation), len(NAMES))
    x_nhwc = prepared.training.batch(0).x_nhwc
    assert x_nhwc.shape == (4, 64, 64, 3)


def test_the_rest_of_the_preset_is_kept(galaxies: Path) -> None:
    given = preset()
    got = prepare([galaxies], given).preset
    model = dataclasses.replace(given.model, bands=3, properties=NAMES)
    assert got == dataclasses.replace(given, model=model)


def test_held_out_galaxies_are_scaled_like_the_others(galaxies: Path) -> None:
    """Nothing of the population is fitted on them."""
    prepared = prepare([galaxies], preset())
    ratio_n = measure(prepared.validation.stamps.flux(), prepared.space.bands)["AXIS_RATIO"].numpy()
    column = NAMES.index("axis_ratio")
    z_n = (ratio_n - prepared.population.centre[column]) / prepared.population.scale[column]
    np.testing.assert_allclose(
        prepared.validation.z_np[:, column], np.clip(z_n, -4, 4), rtol=1e-5, atol=1e-5
    )


def test_size(galaxies: Path) -> None:
    prepared = prepare([galaxies], preset(), size=32)
    assert prepared.size == 32
    assert prepared.training.batch(0).x_nhwc.shape == (4, 32, 32, 3)


def test_redshift_is_a_property_where_there_is_one(galaxies: Path, tmp_path: Path) -> None:
    copy = with_columns(galaxies, tmp_path / "z.zip", redshift="0.125")
    prepared = prepare([copy], preset(), size=32)
    assert prepared.preset.model.properties == (*NAMES, "redshift")
    assert prepared.population.centre[-1] == 0.125
    nothing = with_columns(galaxies, tmp_path / "none.zip", redshift="")
    assert prepare([nothing], preset(), size=32).preset.model.properties == NAMES


@pytest.mark.parametrize(("known", "is_property"), [(1.0, True), (0.8, True), (0.2, False)])
def test_redshift_that_few_galaxies_have(tmp_path: Path, known: float, is_property: bool) -> None:
    path = write_flux(tmp_path / "flux.h5", (16, 16))
    with h5py.File(path, "a") as file:
        file["redshift"][round(40 * known) :] = np.nan
    names = prepare([path], preset()).preset.model.properties
    assert ("redshift" in names) == is_property


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
    names = (*property_names("gr"), "redshift")
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


def in_two(source: Path, folder: Path) -> tuple[Path, Path]:
    """Every other galaxy of an image folder each."""
    paths = folder / "even.zip", folder / "odd.zip"
    with zipfile.ZipFile(source) as old:
        rows = list(csv.DictReader(io.StringIO(old.read("labels.csv").decode())))
        for half, path in enumerate(paths):
            with zipfile.ZipFile(path, "w") as new:
                text = io.StringIO()
                writer = csv.DictWriter(text, rows[0])
                writer.writeheader()
                writer.writerows(rows[half::2])
                new.writestr("labels.csv", text.getvalue())
                for row in rows[half::2]:
                    new.writestr(row["file"], old.read(row["file"]))
    return paths


def test_some_data_only_teaches(galaxies: Path, tmp_path: Path) -> None:
    """Nothing about the population or the pixels follows from it."""
    own, other = in_two(galaxies, tmp_path)
    plain = prepare([own], preset(0.4), 32)
    taught = prepare([own], preset(0.4), 32, teach=[other])
    assert taught.population.names == (*NAMES, "teach")
    np.testing.assert_array_equal(taught.population.z_np[:, :-1], plain.population.z_np)
    np.testing.assert_array_equal(taught.population.code_n, plain.population.code_n)
    for what in ("centre", "scale", "lower", "upper"):
        whole, part = getattr(taught.population, what), getattr(plain.population, what)
        np.testing.assert_array_equal(whole[:-1], part)
    assert taught.space == plain.space
    population = taught.population
    assert (population.centre[-1], population.scale[-1]) == (0, 1)
    assert (population.lower[-1], population.upper[-1]) == (0, 0)
    theirs = set(open_stamps(other).ids)
    for source in (taught.training, taught.validation):
        flags = source.z_np[:, -1]
        assert flags.tolist() == [float(galaxy in theirs) for galaxy in source.stamps.ids]
        assert set(flags) == {0, 1}
    assert {*taught.training.stamps.ids} >= {*plain.training.stamps.ids}


def test_a_column_marks_galaxies_that_only_teach(galaxies: Path, tmp_path: Path) -> None:
    own, other = in_two(galaxies, tmp_path)
    marked = with_columns(other, tmp_path / "marked.zip", teach="true")
    unmarked = with_columns(own, tmp_path / "unmarked.zip", teach="0")
    by_column = prepare([unmarked, marked], preset(0.4), 32)
    by_option = prepare([own], preset(0.4), 32, teach=[other])
    np.testing.assert_array_equal(by_column.training.z_np, by_option.training.z_np)
    np.testing.assert_array_equal(by_column.population.z_np, by_option.population.z_np)


def test_teaching_is_no_property_where_all_are_of_the_population(
    galaxies: Path, tmp_path: Path
) -> None:
    copy = with_columns(galaxies, tmp_path / "copy.zip", teach="")
    assert prepare([copy], preset(), 32).population.names == NAMES


def test_a_population_is_needed(galaxies: Path, tmp_path: Path) -> None:
    copy = with_columns(galaxies, tmp_path / "copy.zip", teach="1")
    with pytest.raises(InvalidValueError, match="does not only teach"):
        prepare([copy], preset(), 32)


def test_teach_is_yes_or_no(galaxies: Path, tmp_path: Path) -> None:
    copy = with_columns(galaxies, tmp_path / "copy.zip", teach="maybe")
    with pytest.raises(DataError, match=r"copy\.zip: column teach has 'maybe'; allowed: 1 or true"):
        prepare([copy], preset(), 32)


def test_the_pixel_scale_is_that_of_the_population(galaxies: Path, tmp_path: Path) -> None:
    """Stretched pixels become flux by it."""
    own, other = in_two(galaxies, tmp_path)
    for path, scale in ((own, 0.4), (other, 0.2)):
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("galgen.json", json.dumps({"pixel_scale": scale}))
    assert prepare([own], preset(0.4), 64, teach=[other]).space.pixel_scale == 0.4
    assert prepare([own, other], preset(0.4), 64).space.pixel_scale is None


def test_labels_are_corrected(galaxies: Path, tmp_path: Path) -> None:
    galaxy = open_stamps(galaxies).ids[0]
    table = tmp_path / "corrections.csv"
    table.write_text(f"id,category\n{galaxy},merging\n")
    stamps = gather([galaxies], corrections=table)
    np.testing.assert_array_equal(stamps.category[0], categories.get("merging").code)
    np.testing.assert_array_equal(stamps.category[1:], open_stamps(galaxies).category[1:])
