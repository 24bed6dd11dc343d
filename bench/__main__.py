"""``python -m bench``: run the workloads on every adapter, print one table, write docs/benchmarks.md.

Runs are interleaved: each round takes every case through all adapters, one after the other, so that what the machine
does meanwhile touches them alike. Figures are medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from . import machine, report
from .adapters import Adapter, Unavailable, found
from .workloads import CASES, Case, Figures

DOCS = Path(__file__).resolve().parent.parent / "docs"
SECONDS = {"W1": 1.2, "W2": 1.2, "W3": 1.0, "W4": 5.0, "W5": 0.6, "W6": 3.0, "W7": 1.2, "W8": 0.0}
"""How long each workload runs."""
QUICK = 0.4
"""… and what part of it with --quick."""


def main() -> int:
    args = _arguments()
    adapters = found()
    unknown = [name for name in args.adapters if name not in adapters]
    if unknown:
        print(f"no adapter {', '.join(unknown)}: there are {', '.join(adapters)}", file=sys.stderr)
        return 2
    cases = [case for case in CASES if not args.only or any(case.key.startswith(key) for key in args.only)]
    results = report.Results()
    for path in args.join:
        results.read(json.loads(path.read_text(encoding="utf-8")))
    load_before = machine.load() if args.no_wait else machine.wait_for_calm(args.wait)
    results.note_machine(load_before, machine.others_share())
    if results.is_loud:
        print(results.warning, file=sys.stderr)
    try:
        for round_number in range(args.runs):
            _round(round_number, cases, adapters, results, args)
    except KeyboardInterrupt:
        print("interrupted: what was measured until now is reported", file=sys.stderr)
    if args.out:
        args.out.write_text(json.dumps(results.to_json()), encoding="utf-8")
    titles = {name: adapter.title for name, adapter in adapters.items()}
    print(report.table(results, titles))
    print(report.verdict_table(results))
    if results.is_loud:
        print(results.warning, file=sys.stderr)
    is_whole = not (args.only or args.adapters or args.quick)
    if args.write and is_whole:
        report.write(results, titles, DOCS)
    return 0


def _round(
    number: int, cases: list[Case], adapters: dict[str, Adapter], results: report.Results, args: argparse.Namespace
) -> None:
    """Every case through every server that can do it."""
    for case in cases:
        for name, adapter in adapters.items():
            if args.adapters and name not in args.adapters:
                continue
            if not case.needs <= adapter.can or case.browsers > adapter.most_browsers:
                continue
            seconds = SECONDS[case.key.split()[0]] * (QUICK if args.quick else 1)
            began = time.monotonic()
            try:
                figures: Figures = case.run(adapter, seconds)
            except Unavailable as exc:
                print(f"{adapter.title} is left out: {exc}", file=sys.stderr)
                results.leave_out(adapter.title, str(exc))
                adapter.can = frozenset({"nothing"})
                continue
            except (TimeoutError, RuntimeError, OSError) as exc:
                print(f"{case.key} {name} failed: {str(exc)[-500:]}", file=sys.stderr)
                continue
            results.add(case.key, name, figures)
            _say(number, case, name, figures, time.monotonic() - began)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="rounds; figures are their medians (default 5)")
    parser.add_argument("--only", nargs="*", default=[], metavar="CASE", help='workloads, "W1" or "W3 100"')
    parser.add_argument("--adapters", nargs="*", default=[], metavar="NAME", help="servers (default: all)")
    parser.add_argument("--quick", action="store_true", help="shorter runs: for a first look")
    parser.add_argument("--wait", type=float, default=120.0, help="seconds to wait for a calm machine")
    parser.add_argument("--no-wait", action="store_true", help="start at once, however loaded the machine is")
    parser.add_argument(
        "--no-write",
        dest="write",
        action="store_false",
        help="leave docs/benchmarks.md (parts of it are never written)",
    )
    parser.add_argument("--out", type=Path, help="write all figures to this file, as JSON")
    parser.add_argument("--join", type=Path, nargs="*", default=[], help="add the figures of such a file")
    return parser.parse_args()


def _say(round_number: int, case: Case, name: str, figures: Figures, took_s: float) -> None:
    shown = " ".join(f"{key}={value:.4g}" for key, value in figures.items())
    print(f"[{round_number + 1}] {case.key:10} {name:12} {shown} ({took_s:.1f} s)", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
