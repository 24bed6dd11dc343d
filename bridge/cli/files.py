"""``check``, ``init``, ``patch``: commands about a configuration, without a daemon."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bridge import log, resources
from bridge.command import typed
from bridge.errors import ConfigError

from .terminal import config_here, counted, fail


def add(commands: Any) -> None:
    """The commands and their arguments."""
    check = commands.add_parser("check", help="name every mistake in a configuration, and do nothing else")
    check.add_argument("file", nargs="?", type=Path, metavar="FILE", help="default: config.toml")
    check.add_argument("--json", action="store_true", help="the mistakes as a JSON list")
    check.set_defaults(command=_check)

    init = commands.add_parser("init", help="write a commented configuration to begin with")
    init.add_argument(
        "file", nargs="?", type=Path, default=Path("config.toml"), metavar="FILE", help="default: config.toml"
    )
    init.set_defaults(command=_init)

    patch = commands.add_parser("patch", help="write a patch for Max or Pd that has a box for each control")
    patch.add_argument("program", choices=("max", "pd"), metavar="PROGRAM", help="%(choices)s")
    patch.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a configuration; as for run")
    patch.add_argument("--peer", metavar="PEER", help="the [[osc]] table that it is for")
    patch.add_argument("--host", metavar="ADDRESS", help="where stagebridge runs, as the program reaches it")
    patch.set_defaults(command=_patch)


def _check(arguments: argparse.Namespace) -> int:
    from bridge import app
    from bridge.config.loading import load

    file = arguments.file or config_here()
    if file is None:
        return fail(f"stagebridge: there is no config.toml here: name a file, or write one with {typed()} init")
    try:
        settings = load(file, app.KINDS)
    except ConfigError as exc:
        if not arguments.json:
            raise
        print(json.dumps([_problem_json(problem) for problem in exc.problems], indent=2, ensure_ascii=False))
        return 1
    if arguments.json:
        print("[]")
    else:
        has = [counted(len(settings.controls), "control"), counted(len(settings.peers), "peer")]
        if settings.http.pages is not None:
            has.append(_looked_through(settings.http.pages))
        print(f"{file}: no mistakes; {', '.join(has)}")
    return 0


def _looked_through(folder: Path) -> str:
    """How many pages of one's own there are. What of them cannot be synced is said, and is no mistake."""
    from bridge.pages import read_pages, scan

    pages = list(read_pages(folder))
    for page, html in pages:
        for problem in scan(html).problems:
            print(log.printable(f"{page}: {problem}"), file=sys.stderr)
    return f"{counted(len(pages), 'page')} of your own"


def _problem_json(problem: Any) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("file", "where", "line", "message", "hint", "value")}


def _init(arguments: argparse.Namespace) -> int:
    from bridge import schema

    file: Path = arguments.file
    text = schema.starter_text(resources.default_config().read_text(encoding="utf-8"))
    try:
        with file.open("x", encoding="utf-8") as stream:  # never over what somebody has written
            stream.write(text)
        file.with_name(schema.STARTER_SCHEMA).write_text(schema.schema_text(), encoding="utf-8")  # for editors
    except FileExistsError:
        return fail(f"stagebridge: {file} exists already and is left as it is; another: {typed()} init show.toml")
    except OSError as exc:
        return fail(f"stagebridge: {file} cannot be written: {exc.strerror}")
    print(f"{file} is written; start with: {typed()} run {file}")
    return 0


def _patch(arguments: argparse.Namespace) -> int:
    from bridge import app, patchplan
    from bridge.config.loading import load
    from bridge.patchmax import max_text
    from bridge.patchpd import pd_text

    settings = load(arguments.file or config_here() or resources.default_config(), app.KINDS)
    plan = patchplan.plan(settings, arguments.program, arguments.peer, arguments.host)
    sys.stdout.write(max_text(plan) if arguments.program == "max" else pd_text(plan))
    for path, why in plan.left_out.items():
        print(log.printable(f"stagebridge: {path} is left out: {why}"), file=sys.stderr)
    boxes = f"{len(plan.parts)} box{'' if len(plan.parts) == 1 else 'es'} for {plan.peer}"
    print(
        f"stagebridge: {boxes}; it hears on UDP {plan.its_port}, and speaks to {plan.host}:{plan.our_port}",
        file=sys.stderr,
    )
    return 0
