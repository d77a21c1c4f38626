"""`python -m syrve_simulator`."""

import sys

from syrve_simulator.cli import main

sys.exit(main())
