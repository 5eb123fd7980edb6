"""Give galgen damaged files and awkward options, thousands of them, and see how it ends.

    python -m bench.fuzz --tries 5000 --out bench/results/fuzz.json

Every try follows from its number: `--only N` makes one of them, shows all that it printed as an
error, and keeps its folder. Long runs can be made in pieces: `--max-time 400` ends after so many
seconds, and the same command goes on from there. Exit code 1 if there is a finding: a traceback, a
crash, a hang, a slow refusal, too much memory, a good verdict on damage, a file that was not to be
changed, leftovers, or no message.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pkgutil
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Annotated

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
os.environ |= {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"}

import torch
import typer
from astropy.table import Table
from PIL import Image
from typer import Option

import galgen.cli
from bench.record import save
from galgen.errors import MissingPackageError
from tests.fuzz import corpus, judge, report, tries

_LATER = (
    *("astropy.coordinates", "astropy.io.votable", "astropy_healpix", "galsim"),
    *("pandas", "pyarrow.compute", "pyarrow.parquet", "numpy.rec", "importlib.readers"),
)


def main(
    tries_: Annotated[int, Option("--tries")] = 500,
    first: int = 0,
    only: Annotated[int | None, Option(help="Make this one again.")] = None,
    folder: Annotated[Path | None, Option(help="Where to work, else a temporary one.")] = None,
    max_time: Annotated[float, Option(help="Seconds, of this piece.")] = 1e9,
    out: Annotated[Path | None, Option(help="JSON to write, or to go on with.")] = None,
) -> None:
    """Try, and count how it ended."""
    torch.set_num_threads(1)
    warm()
    folder = folder or Path(tempfile.mkdtemp(prefix="galgen-fuzz-"))
    files = folder / "corpus"
    for name in ("XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR"):
        os.environ[name] = str(files / "cache")
    if not (files / "run" / "weights").exists():
        corpus.build(files)
    if only is not None:
        (one,) = tries.run(files, folder / "try", range(only, only + 1))
        print((folder / "try" / "here.err").read_text(errors="replace"), folder / "try")
        print(json.dumps(one.json(), indent=1))
        raise typer.Exit(bool(one.findings))
    journal = out.with_suffix(".jsonl") if out else None
    done, spent = [], 0.0
    if journal and journal.exists():
        kept = [json.loads(line) for line in journal.read_text().splitlines()]
        done = [judge.Try(**line["try"]) for line in kept]
        spent = sum(line["spent"] for line in kept)
    start = time.monotonic()
    todo = range(first + len(done), first + tries_)
    for one in tries.timed(files, folder / "try", todo, max_time):
        done.append(one)
        now = time.monotonic()
        if journal:
            with journal.open("a") as handle:
                handle.write(json.dumps({"try": one.json(), "spent": now - start}) + "\n")
        spent, start = spent + now - start, now
        for finding in one.findings:
            print(one.number, one.reader, "|", one.command, "|", one.what, "|", finding, flush=True)
    found = report.summary(done, spent)
    save(out, found)
    print({name: value for name, value in found.items() if not isinstance(value, dict | list)})
    raise typer.Exit(bool(found["findings"]))


def warm() -> None:
    """Import all that commands import, so that their children need not."""
    for module in pkgutil.walk_packages(galgen.__path__, "galgen."):
        if not module.name.endswith("__main__"):
            with suppress(MissingPackageError):  # of an adapter
                importlib.import_module(module.name)
    for name in _LATER:
        with suppress(ImportError):
            importlib.import_module(name)
    # What the first file and the first command line import.
    Image.init()
    Table.read(["a,b", "1,2"], format="ascii.csv")
    nowhere, given = io.StringIO(), sys.argv
    for words in (["schema"], ["schema", "a", "b"], ["preview"]):
        sys.argv = ["galgen", *words]
        with suppress(SystemExit), redirect_stdout(nowhere), redirect_stderr(nowhere):
            galgen.cli.main()
    sys.argv = given


if __name__ == "__main__":
    typer.run(main)
