"""From folders of one's own categories to catalogues of them, by the command line."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import h5py
import pytest
from astropy.io import fits

from galgen.catalog import CatalogFile
from galgen.data import open_stamps
from galgen.errors import DataError, GalgenWarning, InvalidValueError, UnknownCategoryError
from galgen.evaluation import evaluate
from galgen.export.realgalaxy import export_realgalaxy
from galgen.request.table import InputTable
from galgen.scene import CatalogGalaxies, Field, make_scene, read_sources

NAMES = ("galaxy", "Dusty-disc", "lenticular")


@pytest.fixture(scope="module")
def data(tmp_path_factory, request) -> Path:
    """Real galaxies, sorted anew into two folders."""
    root = tmp_path_factory.mktemp("own") / "data"
    with zipfile.ZipFile(Path(__file__).parents[1] / "fixtures" / "galaxies64.zip") as archive:
        for name in archive.namelist():
            folder, slash, file = name.partition("/")
            own = root / ("lenticular" if "smooth" in folder else "Dusty disc")
            if slash:
                own.mkdir(parents=True, exist_ok=True)
                (own / file).write_bytes(archive.read(name))
    return root


@pytest.fixture(scope="module")
def made(data: Path) -> Path:
    """A folder with a run, and a catalogue that was made with its weights."""
    from typer.testing import CliRunner

    from galgen.cli import app

    folder = data.parent

    def call(*arguments: object) -> None:
        result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output

    train = "train", "--data", data, "--preset", "tiny", "--size", 32, "--images", 16, "--batch", 8
    train += "--device", "cpu", "--workers", 1, "--quiet"
    call(*train, "--out", folder / "run", "--categories", "folders")
    mass = "mass", "--weights", folder / "run" / "weights", "--steps", 1, "--batch", 4, "--quiet"
    call(*mass, "--category", "dusty_disc:1,lenticular:3", "--n", 8, "--out", folder / "own.fits")
    return folder


def test_without_the_option_they_are_refused(data, galgen, tmp_path):
    code, _, err = galgen("train", "--data", data, "--preset", "tiny", "--out", tmp_path / "run")
    assert code == 2
    assert "Dusty disc" in err
    assert "--categories folders" in err
    assert not (tmp_path / "run").exists()


def test_a_tree_that_is_none_is_refused(data, galgen, tmp_path):
    (tmp_path / "tree.yaml").write_text("lenticular:\nLenticular:\n")
    train = "train", "--data", data, "--preset", "tiny", "--out", tmp_path / "run"
    code, _, err = galgen(*train, "--categories", tmp_path / "tree.yaml")
    assert code == 2
    assert "given for lenticular and for Lenticular" in err
    assert not (tmp_path / "run").exists()


def test_the_run_keeps_its_tree(made, data, galgen):
    assert [
        node["name"] for node in json.loads((made / "run/run.json").read_text())["categories"]
    ] == [*NAMES]
    assert ", ".join(NAMES) in (made / "run" / "weights" / "README.md").read_text()
    (made / "other.yaml").write_text("[lenticular, Dusty disc]")
    train = "train", "--data", data, "--preset", "tiny", "--size", 32, "--out", made / "run"
    code, _, err = galgen(*train, "--resume", "--categories", made / "other.yaml")
    assert code == 2
    assert "tree of categories" in err


def test_info_shows_the_tree_of_the_weights(made, galgen):
    code, out, _ = galgen("info", "--weights", made / "run" / "weights")
    assert code == 0
    assert out.rstrip().endswith("galaxy  (unlabelled)\n  Dusty-disc\n  lenticular")
    assert "spiral" not in out
    _, out, _ = galgen("info", "--json", "--weights", made / "run" / "weights")
    assert [node["name"] for node in json.loads(out)["categories"]] == [*NAMES]


def test_the_catalogue_has_their_names(made, galgen):
    _, out, _ = galgen("verify", made / "own.fits")
    # Weights that have hardly been trained make galaxies whose flux cannot be measured.
    wrong = [line for line in out.splitlines() if "wrong:" in line]
    assert all("FLUX is NaN" in line for line in wrong)
    assert "lenticular: " in out
    with fits.open(made / "own.fits") as hdus:
        header, table = hdus[0].header, hdus["CATALOG"].data
        assert [header[f"CAT00{code}"] for code in range(header["NCAT"])] == [*NAMES]
        assert [header["PCAT001"], header["PCAT002"]] == [0, 0]
        assert header["REQUEST"] == "Dusty-disc:1.0,lenticular:3.0"
        assert set(table["CATEGORY_NAME"]) <= {*NAMES[1:]}
        assert [NAMES[code] for code in table["CATEGORY"]] == list(table["CATEGORY_NAME"])


@pytest.mark.parametrize("options", [(), ("--workers", 1)], ids=["here", "worker"])
def test_names_of_other_trees_are_refused_with_this_one(made, galgen, tmp_path, options):
    mass = "mass", "--weights", made / "run" / "weights", "--n", 4, "--out", tmp_path / "no.fits"
    code, _, err = galgen(*mass, "--category", "spiral", *options)
    assert code == 2
    assert "galaxy  (unlabelled)\n  Dusty-disc\n  lenticular" in err
    assert not list(tmp_path.iterdir())


def test_a_run_is_resumed_with_its_tree(made, galgen, tmp_path):
    """The ledger's copy of the run has the tree, too."""
    mass = "mass", "--weights", made / "run" / "weights", "--steps", 1, "--batch", 4, "--quiet"
    mass += "--category", "dusty_disc:1,lenticular:3", "--n", 8, "--out", tmp_path / "own.fits"
    for job in (0, 1):
        assert galgen(*mass, "--njobs", 2, "--job", job)[0] == 0
    assert galgen("finish", tmp_path / "own.fits")[0] == 0
    assert (tmp_path / "own.fits").read_bytes() == (made / "own.fits").read_bytes()


def test_export_imagefolder_is_training_data_again(made, galgen, tmp_path):
    assert galgen("export", "imagefolder", made / "own.fits", tmp_path / "out")[0] == 0
    with CatalogFile(made / "own.fits") as catalog:
        names, tree = catalog.column("CATEGORY_NAME").tolist(), catalog.info.tree
    with (tmp_path / "out" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["category"] for row in rows] == names
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == {*names}
    found = open_stamps(tmp_path / "out", tree=tree)
    assert [tree.names[code] for code in found.category] == names
    with pytest.raises(DataError, match="categories='folders'"):
        open_stamps(tmp_path / "out")


def test_other_exports_have_their_names(made, galgen, tmp_path):
    assert galgen("export", "hdf5", made / "own.fits", tmp_path / "own.h5")[0] == 0
    with h5py.File(tmp_path / "own.h5") as file, CatalogFile(made / "own.fits") as catalog:
        names = catalog.column("CATEGORY_NAME").tolist()
        assert [name.decode() for name in file["category"][:]] == names
        assert json.loads(file.attrs["tree"]) == catalog.info.tree.to_json()
    found = open_stamps(tmp_path / "own.h5", tree=catalog.info.tree)
    assert [NAMES[code] for code in found.category] == names
    with pytest.raises(UnknownCategoryError, match="Dusty-disc"):
        export_realgalaxy(made / "own.fits", tmp_path / "no.fits", category="spiral", pixel_scale=1)


def test_preview_and_evaluation_name_them(made, data, galgen, monkeypatch):
    drawn = {}
    monkeypatch.setattr("galgen.pictures.grid.save_grid", lambda out, rows, *_: drawn.update(rows))
    assert galgen("preview", made / "own.fits", "--out", made / "own.png")[0] == 0
    assert [label.split()[0] for label in drawn] == [*NAMES[1:]]
    found = evaluate(made / "own.fits", data, splits=2, neighbours=2)
    real = {"Dusty-disc": 17, "lenticular": 7}
    assert {report.name: report.real for report in found.categories} == real
    fixture = Path(__file__).parents[1] / "fixtures" / "galaxies64.zip"
    with pytest.raises(DataError, match="lenticular"):
        evaluate(made / "own.fits", fixture)
    with pytest.raises(DataError, match="tree of categories"):
        evaluate(made / "own.fits", open_stamps(fixture, 32))


def test_scenes_are_made_of_them(made, tmp_path):
    field = Field(ra=150.0, dec=2.0, width=64, height=64)
    galaxies = CatalogGalaxies(made / "own.fits")
    path = tmp_path / "sources.csv"
    path.write_text("ra,dec,mag,category\n150.0,2.0,20,lenticular\n")
    sources = read_sources(InputTable(path), field, galaxies.bands, tree=galaxies.tree)
    assert sources[:1].tree == galaxies.tree
    # An untrained network makes few galaxies that can be seen.
    galaxies._usable[:] = True
    make_scene(tmp_path / "scene.fits", galaxies, sources, field)
    with fits.open(tmp_path / "scene.fits") as hdus:
        assert set(hdus["TRUTH"].data["CATEGORY_NAME"]) <= {"lenticular"}
    with pytest.warns(GalgenWarning, match="nearest, 'smooth', is taken"):
        read_sources(InputTable(path), field, galaxies.bands)
    path.write_text("ra,dec,mag,category\n150.0,2.0,20,ring\n")
    with pytest.raises(DataError, match="row 0"):
        read_sources(InputTable(path), field, galaxies.bands)
    path.write_text("ra,dec,mag,category\n150.0,2.0,20,spiral\n")
    other = read_sources(InputTable(path), field, galaxies.bands)
    with pytest.raises(InvalidValueError, match="tree of the sources"):
        make_scene(tmp_path / "no.fits", galaxies, other, field)
