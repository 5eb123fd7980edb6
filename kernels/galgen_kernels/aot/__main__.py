"""What ``python -m galgen_kernels.aot`` runs."""

import sys

from galgen_kernels.aot.command import main

sys.exit(main())
