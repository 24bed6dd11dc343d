#!/bin/sh
# Installs the Debian packages that the tests drive as peers (tests/debian-packages.txt): only what is missing, only as
# root; otherwise prints the one line to run. Tests of a missing peer skip with their reason; in CI they fail.
set -eu
cd "$(dirname "$0")/.."

missing=
while read -r package commands; do
    case $package in '' | '#'*) continue ;; esac
    found=
    for command in $commands; do
        command -v "$command" >/dev/null 2>&1 && found=yes && break
    done
    [ -n "$found" ] || missing="$missing $package"
done <tests/debian-packages.txt

[ -n "$missing" ] || exit 0
line="apt-get install --yes --no-install-recommends$missing"
if ! command -v apt-get >/dev/null 2>&1; then
    printf 'test peers that are missing here (names as in Debian):%s\n' "$missing" >&2
elif [ "$(id -u)" -eq 0 ] && [ "${1:-}" != --print ]; then
    printf 'installing test peers:%s\n' "$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet=2
    $line --quiet=2 >/dev/null
else
    printf 'test peers are missing, their tests will be skipped; to install them:\n  sudo %s\n' "$line" >&2
fi
