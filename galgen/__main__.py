"""``python -m galgen`` is the ``galgen`` command."""

from galgen.cli import main

main()
