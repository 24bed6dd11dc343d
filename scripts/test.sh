#!/bin/sh
# Runs every Python test, in three stages: all that may run beside others, in three processes, since half of it waits,
# for browsers and for installations; then those marked "waits", for a link or for JACK, whose clients of one name are in
# each other's way though their servers differ: two processes; then, with nothing beside them, those marked "alone",
# which measure time or memory.
set -u
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE # each of the daemons that are started would compile all of it anew: 0.25 s

linked='tests/test_bad_link.py tests/test_cuts.py tests/test_soak.py'
output=$(mktemp -d)
processes=
code=0
trap 'rm -rf "$output"' EXIT
trap '[ -z "$processes" ] || kill $processes 2>/dev/null; exit 130' INT TERM

beside() { # one pytest beside what follows; the shell's "all" says what it said
	.venv/bin/python -m pytest -p no:cacheprovider "$@" >"$output/$(echo $processes | wc -w)" 2>&1 &
	processes="$processes $!"
}

all() {
	for process in $processes; do
		wait "$process" || code=$?
	done
	processes=
	cat "$output"/*
	rm "$output"/*
}

without() {
	printf -- '--ignore %s ' "$@"
}

# As much waiting in each, by the first letter.
beside -m 'not (alone or waits)' tests/browser/test_[a-r]*.py tests/test_packaging.py
beside -m 'not (alone or waits)' tests/browser/test_[s-z]*.py tests/test_[o-z]*.py --deselect tests/test_packaging.py
.venv/bin/python -m pytest -m 'not (alone or waits)' tests/test_[a-n]*.py || code=$?
all
beside -m 'waits and not alone' $linked
.venv/bin/python -m pytest -p no:cacheprovider -m 'waits and not alone' $(without $linked) || code=$?
all
.venv/bin/python -m pytest -m alone || code=$?
exit "$code"
