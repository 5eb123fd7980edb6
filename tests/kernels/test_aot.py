"""Kernels compiled ahead of time: what they cost, the library they make, and how it is used."""

from __future__ import annotations

import ctypes.util
import json
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

pytest.importorskip("triton", reason="Triton has no build for this platform")
import triton

from galgen_kernels.aot import command as aot
from galgen_kernels.aot.shipped import GROUP, HEAD
from galgen_kernels.launching.binaries import Library, LibraryError
from galgen_kernels.ops.attention_fusion.fused import TILES, variant
from galgen_kernels.ops.group_norm_silu import fused as group_norm_silu
from tests.kernels.compiling import KERNELS, ROOT, run

# Workers of pytest-xdist would each build what the fixtures build.
RESOURCES = json.loads((KERNELS / "galgen_kernels" / "resources.json").read_text())
SHARED_MEMORY = 227 * 1024  # of a block on a device of compute capability 9.0
ARCHES = ("sm_80", "sm_90a", "sm_100a")
SUBSET = "group_norm_silu_group16_chunk64_.*modulated1|attention_fusion_c32_.*convolve0"
NORM = "group_norm_silu_group16_chunk64_chunks1_modulated1_bf16x4_w1s2"
AOT = (sys.executable, "-m", "galgen_kernels.aot")
COMPILER = next(filter(shutil.which, ("cc", "gcc", "clang")), None)
builds = pytest.mark.skipif(
    not shutil.which("cmake") or not COMPILER, reason="needs CMake and a C compiler"
)
ON_GPU = """
import sys, torch
from galgen_kernels.launching import binaries
from galgen_kernels.ops.group_norm_silu import fused as group_norm_silu
x_nhwc = torch.randn(2, 8, 8, 48, generator=torch.Generator().manual_seed(0)).bfloat16().cuda()
made = group_norm_silu.launch(x_nhwc, 3, x_nhwc[:, 0, :2].flatten(1).contiguous(), 1e-5)
torch.save([tensor.cpu() for tensor in made], sys.argv[1])
print([name for name in binaries._names.values() if name])
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every shipped variant for sm_90a."""
    folder = tmp_path_factory.mktemp("aot")
    cache = {"TRITON_CACHE_DIR": folder / "cache"}
    run(*AOT, "build", "--jobs", 2, "--arch", "sm_90a", "--out", folder / "out", **cache)
    return folder / "out"


@pytest.fixture(scope="module")
def shipped(built: Path) -> dict[str, dict[str, Any]]:
    """Name -> entry of the manifest."""
    entries = json.loads((built / "manifest.json").read_text())["binaries"]
    return {entry["name"]: entry for entry in entries}


class Build(NamedTuple):
    """Folders of a CMake build: of the generated files, and the prefix of the installation."""

    generated: Path
    prefix: Path

    @property
    def library(self) -> Path:
        return self.prefix / "lib" / "libgalgen_kernels.so"

    def entry(self, name: str, arch: str) -> dict[str, Any]:
        manifest = self.prefix / "share" / "galgen_kernels" / "manifest.json"
        entries = json.loads(manifest.read_text())["binaries"]
        return next(e for e in entries if (e["name"], e["arch"]) == (name, arch))


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """A library of few variants, for all architectures."""
    folder, prefix = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("prefix")
    options = {
        "GALGEN_AOT": "ON",
        "GALGEN_AOT_ONLY": SUBSET,
        "GALGEN_AOT_ARCHES": ";".join(ARCHES),
        "CMAKE_INSTALL_PREFIX": prefix,
        "CMAKE_INSTALL_LIBDIR": "lib",
        "CMAKE_C_FLAGS": "-Wpedantic -Wconversion -Werror",
        "Python_EXECUTABLE": sys.executable,
    }
    run("cmake", "-S", ROOT, "-B", folder, *(f"-D{k}={v}" for k, v in options.items()))
    run("cmake", "--build", folder, "--target", "install")
    return Build(folder / "kernels" / "generated", prefix)


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory, build: Build) -> Callable[..., dict]:
    """launch_binaries.py with a driver that records: (compute capability, ...) -> its output."""
    if torch.cuda.is_available():
        pytest.skip("there is a driver: see test_library_and_compiler_give_the_same_bits")
    folder = tmp_path_factory.mktemp("driver")
    source = Path(__file__).with_name("recording_driver.c")
    run(COMPILER, "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", source,
        "-o", folder / "libcuda.so.1")  # fmt: skip

    def launch(capability: int = 90, failure: int = 0, **environment: object) -> dict[str, Any]:
        script = Path(__file__).with_name("launch_binaries.py")
        environment = {"LD_LIBRARY_PATH": folder, "GALGEN_AOT_LIBRARY": build.library} | environment
        return json.loads(run(sys.executable, script, capability, failure, **environment))

    return launch


def test_nothing_spills_and_everything_fits(shipped) -> None:
    spilling = {n: e["spill_bytes"] for n, e in shipped.items() if e["spill_bytes"]}
    assert not spilling, f"spills with triton {triton.__version__}"
    assert max(entry["shared"] for entry in shipped.values()) <= SHARED_MEMORY
    assert min(entry["programs"] for entry in shipped.values()) >= 1


# Channels of which the preferred tile leaves a multiprocessor with one program, and why.
ALONE = {
    64: "two windows in 8 warps halve the reading of weights",
    192: "4 warps spill 1.9 KB",
    256: "8 warps need 236 registers each",
}


@pytest.mark.parametrize("channels", TILES)
def test_two_programs_share_a_multiprocessor(shipped, channels) -> None:
    """One program computes while another waits for L2."""
    preferred = variant(torch.bfloat16, channels, HEAD, (8, 8), TILES[channels][0])
    programs = shipped[preferred.name]["programs"]
    assert programs == 1 if channels in ALONE else programs >= 2


@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize("cells", [64, 256, 1024])
def test_norms_share_a_multiprocessor(shipped, cells, modulated) -> None:
    """One program stores what another has not read yet."""
    form = group_norm_silu.variant(torch.bfloat16, cells, GROUP, modulated=modulated)
    assert shipped[form.name]["programs"] >= 2


def test_matrix_products_use_the_tensor_cores(shipped) -> None:
    fused = {name: e for name, e in shipped.items() if name.startswith("attention_fusion")}
    wide = {name for name in fused if "window_h8_window_w8" in name}  # products of 64 rows
    assert wide
    assert fused.keys() - wide
    for name, entry in fused.items():
        assert entry["wgmma" if name in wide else "matrix"] > 0, name


def test_resources_are_the_recorded_ones(shipped) -> None:
    """After a change of a kernel: python -m galgen_kernels.aot table --json <that file>."""
    if triton.__version__ not in RESOURCES:
        pytest.skip(f"resources.json has no table for triton {triton.__version__}")
    recorded = RESOURCES[triton.__version__]["sm_90a"]
    assert recorded == {n: {k: e[k] for k in recorded[n]} for n, e in shipped.items()}


def test_table_on_the_command_line(tmp_path, built, shipped) -> None:
    file = tmp_path / "resources.json"
    file.write_text('{"3.0.0": {}}')
    cache = {"TRITON_CACHE_DIR": built.parent / "cache"}
    printed = run(*AOT, "table", "--only", NORM, "--json", file, **cache).splitlines()
    assert printed[0] == f"triton {triton.__version__}"
    entry = shipped[NORM]
    assert printed[2].split() == [NORM, *(str(entry[key]) for key in ("arch", *aot.TAKES))]
    tables = json.loads(file.read_text())
    assert tables.keys() == {"3.0.0", triton.__version__}  # the other version's table is kept
    assert tables[triton.__version__]["sm_90a"][NORM]["registers"] == entry["registers"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--arch", "sm_90"], "architecture 'sm_90' is not known; allowed: sm_80"),
        (["--arch", "sm_999a"], "no binaries can be made for sm_999a"),
        (["--arch", "sm_90a", "--only", "nonesuch"], "no shipped variant matches 'nonesuch'"),
    ],
)
def test_what_cannot_be_built_is_an_error(tmp_path, capsys, arguments, message) -> None:
    assert aot.main(["build", "--out", str(tmp_path / "out"), *arguments]) == 1
    assert f"error: {message}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@builds
def test_binaries_are_reproducible_and_name_no_folder(built, shipped, build) -> None:
    assert build.entry(NORM, "sm_90a") == shipped[NORM]  # SHA-256 of the cubin among the rest
    for entry in shipped.values():
        assert str(ROOT).encode() not in (built / entry["file"]).read_bytes()


@builds
def test_library_lists_what_it_was_built_from(build, shipped) -> None:
    opened = Library(build.library, required=True)
    assert {name: entry[90] for name, entry in opened.fingerprints.items()} == {
        name: e["fingerprint"] for name, e in shipped.items() if re.search(SUBSET, name)
    }
    assert all(set(entry) == {80, 90, 100} for entry in opened.fingerprints.values())


@builds
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a driver")
def test_launch_without_a_driver_is_an_error(build) -> None:
    with pytest.raises(LibraryError, match=f"{NORM}: no CUDA driver: libcuda.so.1"):
        Library(build.library, required=True).launch(NORM, [], 0, (1,), [])


@builds
@pytest.mark.parametrize("arch", ["sm_80", "sm_90a"])
def test_variant_is_launched_from_the_library(launch, build, arch) -> None:
    done, entry = launch(int(arch.strip("sm_a"))), build.entry(NORM, arch)
    assert (done["compiled"], done["error"], done["warnings"]) == ([], "", [])
    assert (done["loads"], done["launches"]) == (1, 2)  # loaded once for both launches
    assert (done["name"], done["symbol"]) == (NORM, entry["symbol"])
    cubin = (build.generated / entry["file"]).read_bytes()
    assert cubin.startswith(bytes.fromhex(done["image"]))
    assert done["shape"] == [6, 1, 1, 32 * entry["num_warps"], 1, 1, entry["shared"]]
    assert done["shared_limit"] == entry["shared"]
    assert done["stream"] == 0x5EED
    values = [*done["tensors"], 64, 3, 1e-5, 0, 0]
    packed = [struct.pack("<" + c, v) for c, v in zip("QQQQiifQQ", values, strict=True)]
    assert done["values"] == [value.hex() for value in packed]


@builds
def test_failed_launch_is_an_error(launch) -> None:
    error = launch(failure=700)["error"]
    assert error.startswith(f"LibraryError: {NORM}: cuLaunchKernel")
    assert error.endswith("an illegal memory access was encountered (CUDA error 700)")


@builds
def test_other_source_is_not_taken(launch, build, tmp_path) -> None:
    """Neither with an error where the library was asked for, nor silently where it was not."""
    shutil.copytree(KERNELS / "galgen_kernels", tmp_path / "galgen_kernels")
    edited = tmp_path / "galgen_kernels" / "launching" / "primitives.py"
    edited.write_text(edited.read_text().replace("x / (1.0 + tl.exp(-x))", "x * tl.sigmoid(x)"))
    asked = launch(PYTHONPATH=tmp_path)
    assert asked["compiled"] == []
    assert f"was built from another version of {NORM}" in asked["error"]

    (tmp_path / "galgen_kernels" / "lib").mkdir()
    shutil.copy(build.library, tmp_path / "galgen_kernels" / "lib")
    found = launch(PYTHONPATH=tmp_path, GALGEN_AOT_LIBRARY="")
    assert (found["error"], found["launches"]) == ("", 0)
    assert found["compiled"] == ["group_norm_silu_kernel"] * 2
    assert len(found["warnings"]) == 1  # of two launches
    assert f"was built from another version of {NORM}" in found["warnings"][0]


@builds
def test_other_device_is_not_taken(launch) -> None:
    assert "is for compute capabilities 80, 90, 100; the device has 89" in launch(89)["error"]


@builds
def test_library_can_be_declined(launch) -> None:
    done = launch(GALGEN_AOT_LIBRARY="none")
    assert (done["compiled"], done["launches"]) == (["group_norm_silu_kernel"] * 2, 0)
    assert (done["error"], done["warnings"]) == ("", [])


def test_what_is_no_such_library_cannot_be_loaded(tmp_path) -> None:
    (tmp_path / "broken.so").write_bytes(b"not a library")
    for path in (tmp_path / "broken.so", tmp_path / "missing.so", ctypes.util.find_library("c")):
        with pytest.raises(LibraryError, match=re.escape(f"{path} cannot be loaded: ")):
            Library(path, required=True)


@builds
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_library_and_compiler_give_the_same_bits(build, tmp_path) -> None:
    files = {"none": tmp_path / "compiled.pt", build.library: tmp_path / "library.pt"}
    used = [
        run(sys.executable, "-c", ON_GPU, file, GALGEN_AOT_LIBRARY=library).strip()
        for library, file in files.items()
    ]
    assert used == ["[]", f"['{NORM}']"]
    compiled, loaded = map(torch.load, files.values())
    for ours, theirs in zip(compiled, loaded, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@builds
@pytest.mark.skipif(not shutil.which("nvcc"), reason="the example needs the CUDA runtime")
def test_example_builds_and_runs_where_there_is_a_gpu(build, tmp_path) -> None:
    flags = "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror"
    prefix = f"-DCMAKE_PREFIX_PATH={build.prefix}"
    run("cmake", "-S", KERNELS / "example", "-B", tmp_path, prefix, flags)
    run("cmake", "--build", tmp_path)
    result = subprocess.run([tmp_path / "normalise"], capture_output=True, text=True, check=False)
    assert result.returncode == (0 if torch.cuda.is_available() else 77), result.stderr


@builds
def test_pure_wheel_cannot_hold_binaries(tmp_path) -> None:
    options = "-DSKBUILD=2", "-DSKBUILD_PROJECT_VERSION=0.1.0", "-DGALGEN_AOT=ON"
    with pytest.raises(AssertionError, match="GALGEN_AOT=1"):
        run("cmake", "-S", ROOT, "-B", tmp_path, *options, f"-DPython_EXECUTABLE={sys.executable}")
