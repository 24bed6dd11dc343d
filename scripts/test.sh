#!/bin/sh
# Runs every Python test, in two stages: those that mostly wait, for browsers and for installations, beside all others;
# then, with nothing beside them, those marked "alone", which measure time, memory or a link.
set -u
cd "$(dirname "$0")/.."

waiting='tests/browser tests/test_packaging.py'
beside=
output=$(mktemp)
trap 'rm -f "$output"' EXIT
trap '[ -z "$beside" ] || kill "$beside" 2>/dev/null; exit 130' INT TERM

code=0
.venv/bin/python -m pytest -p no:cacheprovider -m 'not alone' $waiting >"$output" 2>&1 &
beside=$!
.venv/bin/python -m pytest -m 'not alone' $(printf -- '--ignore %s ' $waiting) || code=$?
wait "$beside" || code=$?
beside=
cat "$output"
.venv/bin/python -m pytest -m alone || code=$?
exit "$code"
