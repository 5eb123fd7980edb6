"""``python -m galgen_kernels.aot``."""

import sys

from galgen_kernels.aot.command import main

sys.exit(main())
