"""``galgen resume``: go on with a catalogue that is not finished."""

from __future__ import annotations

from galgen.cli.options import Job, NJobs, Quiet, Scheduler, Slurm, Unfinished, Workers
from galgen.cli.route import Route, is_finished, make_catalog


def resume(
    catalog: Unfinished,
    workers: Workers = None,
    scheduler: Scheduler = None,
    slurm: Slurm = None,
    njobs: NJobs = None,
    job: Job = None,
    quiet: Quiet = False,
) -> None:
    """Make the missing galaxies of an interrupted run.

    The finished file has the same bytes as if the run had never been interrupted, whoever makes the
    rest. A catalogue that is finished stays as it is.
    """
    from galgen.catalog.write.ledger import Ledger
    from galgen.produce.recipe import Recipe

    if is_finished(catalog, quiet):
        return
    recipe = Recipe.from_json(Ledger(catalog).recipe)
    route = Route(workers, scheduler, slurm, njobs, job)
    make_catalog(recipe, catalog, route, resume=True, quiet=quiet)
