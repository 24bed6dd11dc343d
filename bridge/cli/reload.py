"""``stagebridge reload``: a running daemon reads its configuration anew."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from bridge import log

from .terminal import counted, daemon_of, fail, remote_command

ANSWER_S = 30.0
"""A large configuration on a small computer takes its time."""


def add(commands: Any) -> None:
    """The command and its arguments."""
    remote_command(commands, "reload", "read the configuration anew, and change what has changed", _reload)


def _reload(arguments: argparse.Namespace) -> int:
    from bridge.remote import request

    answer = request(daemon_of(arguments), "POST", "/api/reload", timeout_s=ANSWER_S)
    mistakes = answer["mistakes"]
    if arguments.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 1 if mistakes else 0
    for line in answer["changes"]:
        print(log.printable(line))
    if not mistakes:
        if not answer["changes"]:
            print("stagebridge: nothing has changed", file=sys.stderr)
        return 0
    for mistake in mistakes:
        fail(mistake["text"])
    return fail(f"{counted(len(mistakes), 'mistake')}: nothing was changed")
