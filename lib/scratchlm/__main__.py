"""``python -m scratchlm``."""

import sys

from scratchlm.cli.program import main

if __name__ == "__main__":
    sys.exit(main())
