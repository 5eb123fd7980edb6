"""What is compared: for every question its contenders, and how often they take turns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.peers.process import CORES, Contender, Facts

DIFFUSERS, LUCIDRAINS = "diffusers", "denoising-diffusion-pytorch"
BOTH_WAYS = ("lanes", "threads")  # of using all cores: a peer's best counts
NEEDS = {"diffusers": (DIFFUSERS, "torch"), "lucidrains": (LUCIDRAINS, "torch")}
PEERS = {"diffusers": DIFFUSERS, "lucidrains": LUCIDRAINS}


@dataclass(frozen=True)
class Size:
    """How much is timed.

    Attributes
    ----------
    batch : int
        Images in an evaluation, and stamps made together.
    evaluations : int
        Of the network for each stamp.
    n, simulated : int
        Stamps in a turn of the generators and of GalSim.
    written : int
        Stamps in a turn of the writers.
    growth : tuple of int
        Numbers of stamps of whole processes.
    rounds, few : int
        Turns of each, and of what takes long.
    compile_limit : float
        Seconds that torch.compile may take.
    warm : bool
        Whether a first turn does not count.
    """

    batch: int = 32
    evaluations: int = 10
    n: int = 32 * CORES
    simulated: int = 512
    written: int = 16384
    growth: tuple[int, ...] = (100, 1000, 10_000)
    rounds: int = 7
    few: int = 5
    compile_limit: float = 240.0
    warm: bool = True


TINY = Size(2, 2, 2, 4, 16, (2, 4), rounds=1, few=1, compile_limit=1.0, warm=False)
FEW_EVALUATIONS = 2  # where many stamps are made


@dataclass(frozen=True)
class Part:
    """A question.

    Attributes
    ----------
    about : str
        What is asked.
    contenders : list of Contender
        In the order of their turns.
    rounds : int
        Turns of each.
    warm : bool
        Whether each has a turn before its first one, which does not count.
    evaluations : int, optional
        Of the network for each stamp, where all have as many.
    """

    about: str
    contenders: list[Contender]
    rounds: int
    warm: bool
    evaluations: int | None = None


def saved(folder: Path) -> list[Contender]:
    """Return what saves the networks of the peers that the others load."""
    return [
        Contender(
            f"{PEERS[who]}, saved",
            "saved",
            {"once": {}},
            NEEDS[who],
            {"who": who, "family": family, "preset": "small", "folder": str(folder / who)},
            peer=PEERS[who],
        )
        for who, family in (("diffusers", "one layer"), ("lucidrains", "pixels"))
    ]


def evaluations(size: Size, dtype: str) -> Part:
    """Networks at equal FLOPs."""

    def network(name: str, who: str, ways: tuple[str, ...], **settings: Any) -> Contender:
        common = {"who": who, "batch": size.batch, "dtype": dtype, "preset": "small"}
        needs, peer = NEEDS.get(who, ("torch",)), PEERS.get(who, "galgen")
        limit = size.compile_limit if settings.get("compile") else 120.0
        settings = common | {"compile": False} | settings
        told: dict[str, Facts] = {way: {} for way in ("one core", *ways)}
        return Contender(name, "evaluations", told, needs, settings, peer, limit=limit)

    found = [
        network("galgen", "galgen", ("lanes",)),
        network("galgen, torch.compile", "galgen", ("lanes",), compile=True),
    ]
    for who, families in (
        ("diffusers", ("one layer", "two layers", "cells")),
        ("lucidrains", ("pixels", "cells")),
    ):
        for family in families:
            found.append(network(f"{PEERS[who]}, {family}", who, BOTH_WAYS, family=[family]))
    about = f"evaluations per second, batches of {size.batch} in {dtype}"
    return Part(about, found, size.rounds, size.warm)


def _galgen(name: str, size: Size, n: int, **sampling: Any) -> Contender:
    settings = {"sampling": {"micro_batch": size.batch} | sampling}
    return Contender(name, "galgen_stamps", {"lanes": {"n": n}}, ("torch",), settings)


def _galsim(name: str, cores: int, ways: dict[str, Facts], fresh: bool = False) -> Contender:
    """Return GalSim in processes of one thread each: more threads slow it down."""
    needs, settings = ("galsim", "astropy"), {"cores": cores}
    return Contender(name, "galsim_stamps", ways, needs, settings, "galsim", fresh, threads=1)


def _peer(who: str, sampler: str, steps: int, batch: int, folder: Path) -> dict[str, Any]:
    """Return arguments of the contender that loads a saved network."""
    settings = {"folder": str(folder / who), "sampler": sampler}
    return {
        "program": f"{who}_stamps",
        "needs": (*NEEDS[who], "astropy"),
        "settings": settings | {"evaluations": steps, "batch": batch},
        "peer": PEERS[who],
    }


PIPELINES = {
    "diffusers, DDIM": ("diffusers", "ddim"),
    "diffusers, DPM-Solver++": ("diffusers", "dpmpp"),
    "denoising-diffusion-pytorch, DDIM": ("lucidrains", "ddim"),
}


def stamps(size: Size, folder: Path) -> Part:
    """Galaxies on the disk, at equal evaluations."""
    steps, ways = size.evaluations, {way: {"n": size.n} for way in BOTH_WAYS}
    found = [
        _galgen("galgen, ddim", size, size.n, sampler="ddim", steps=steps),
        _galgen("galgen, dpmpp-2m", size, size.n, sampler="dpmpp-2m", steps=steps),
    ]
    for name, (who, sampler) in PIPELINES.items():
        peer = _peer(who, sampler, steps, size.batch, folder)
        found.append(Contender(name, ways=ways, **peer))
    about = f"{size.n} stamps at a time, {steps} evaluations each, float32"
    return Part(about, found, size.few, size.warm, steps)


def simulated(size: Size) -> Part:
    """GalSim beside galgen."""

    def galsim(name: str, cores: int) -> Contender:
        ways = {f"{cores} processes" if cores > 1 else "1 process": {"n": size.simulated}}
        return _galsim(name, cores, ways)

    few = {"sampler": "dpmpp-2m", "steps": FEW_EVALUATIONS}
    found = [
        galsim("GalSim, one core", 1),
        galsim("GalSim, all cores", CORES),
        _galgen("galgen, 2 evaluations", size, 2 * size.n, **few),
        _galgen("galgen, 2 evaluations, bfloat16", size, 2 * size.n, dtype="bfloat16", **few),
        _galgen("galgen, as it comes", size, size.n, **({"steps": 2} if size is TINY else {})),
    ]
    return Part(f"{size.simulated} of GalSim at a time", found, size.few, size.warm)


def _commands(size: Size, folder: Path, steps: int, batch: int) -> list[Contender]:
    """Whole processes, at equal evaluations; they are told how many stamps to make."""
    words: list[object] = ["galgen", "mass", "--category", "spiral:1,smooth:1", "--quiet"]
    words += ["--sampler", "dpmpp-2m", "--steps", steps, "--batch", batch, "--device", "cpu"]
    found = [Contender("galgen mass", "command", {"": {"words": words}}, fresh=True)]
    for name, (who, sampler) in PIPELINES.items():
        peer = _peer(who, sampler, steps, batch, folder)
        found.append(Contender(name, ways={"": {"way": "lanes"}}, fresh=True, **peer))
    galsim = _galsim("GalSim", CORES if batch > 1 else 1, {"": {}}, fresh=True)
    return [*found, galsim]


def _told(contender: Contender, ways: dict[str, Facts]) -> Contender:
    (common,) = contender.ways.values()
    return replace(contender, ways={way: common | facts for way, facts in ways.items()})


def first(size: Size, folder: Path) -> Part:
    """From the command to the first galaxy, and the memory for it."""
    steps = size.evaluations
    ways: dict[str, Facts] = {"n = 1": {"n": 1}}
    commands = _commands(size, folder, steps, batch=1)
    if size is not TINY:
        words: list[object] = ["galgen", "mass", "--category", "spiral", "--quiet"]
        as_it_comes = "galgen mass, as it comes"
        commands.append(Contender(as_it_comes, "command", {"": {"words": words}}, fresh=True))
    found = [_told(c, ways) for c in commands]
    about = f"a whole process that makes one stamp, {steps} evaluations"
    return Part(about, found, size.few, size.warm)


GROWING = ("galgen mass", "diffusers, DDIM", "GalSim")  # the others would take minutes more


def growth(size: Size, folder: Path) -> Part:
    """Seconds and memory of whole processes by the number of stamps."""
    ways: dict[str, Facts] = {f"n = {n:,}": {"n": n} for n in size.growth}
    commands = _commands(size, folder, FEW_EVALUATIONS, size.batch)
    found = [_told(c, ways) for c in commands if c.name in GROWING]
    about = f"whole processes, {FEW_EVALUATIONS} evaluations, one run each"
    return Part(about, found, 1, warm=False)


def writing(size: Size) -> Part:
    """MB/s to FITS, to an fsync."""
    names = ("pwrite", "galgen", "astropy", "fitsio", "fitsio_checksums", "astropy_table")
    ways: dict[str, Facts] = {name: {} for name in names}
    program = Contender("writers", "writers", ways, ("astropy", "fitsio", "numpy"))
    return Part(f"{size.written} galaxies to an fsync", [program], size.few, size.warm)


def parts(size: Size, folder: Path) -> dict[str, Part]:
    """Return all questions by name, in their order: what takes longest comes last."""
    return {
        "float32": evaluations(size, "float32"),
        "bfloat16": evaluations(size, "bfloat16"),
        "stamps": stamps(size, folder),
        "galsim": simulated(size),
        "first": first(size, folder),
        "writing": writing(size),
        "growth": growth(size, folder),
    }
