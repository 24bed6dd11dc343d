#!/bin/sh
# Runs every Python test, in two stages: those that drive browsers beside all others, since they mostly wait; then, with
# nothing beside them, those marked "alone", which measure time, memory or a link.
set -u
cd "$(dirname "$0")/.."

browsers=
output=$(mktemp)
trap 'rm -f "$output"' EXIT
trap '[ -z "$browsers" ] || kill "$browsers" 2>/dev/null; exit 130' INT TERM

code=0
.venv/bin/python -m pytest -p no:cacheprovider -m 'not alone' tests/browser >"$output" 2>&1 &
browsers=$!
.venv/bin/python -m pytest -m 'not alone' --ignore tests/browser || code=$?
wait "$browsers" || code=$?
browsers=
cat "$output"
.venv/bin/python -m pytest -m alone || code=$?
exit "$code"
