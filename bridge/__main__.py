"""The command ``stagebridge``, which is ``python -m bridge`` too."""

import sys

from .hangup import hang_ups


def main() -> int:
    """Run what the command line says; the exit code."""
    if sys.argv[1:2] == ["run"]:
        hang_ups.listen()
    from .cli import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
