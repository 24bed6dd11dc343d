"""``python -m bridge`` is the command ``stagebridge``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
