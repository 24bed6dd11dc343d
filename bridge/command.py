"""How the command is named in hints that tell somebody to type it."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

NAME = "stagebridge"


def typed() -> str:
    """The command as it can be typed here: its short name, or the way to it that was typed if no PATH has that name.

    After ``make run`` it is in ``.venv/bin``, which a shell does not look into. In a program that uses us: its name.
    """
    if Path(sys.argv[0]).name != NAME or shutil.which(NAME):
        return NAME
    return shlex.quote(sys.argv[0])
