#!/bin/sh
# Makes .venv and installs stagebridge into it, editable. Says what is missing before pip starts.
#
#   sh scripts/setup.sh          what `make run` needs
#   sh scripts/setup.sh test     and what the tests need
#   sh scripts/setup.sh --find   only print the Python that would be used
#
# PYTHON=/path/to/python overrides the choice. A .venv that works is kept.
set -eu
cd "$(dirname "$0")/.."

OLDEST='3, 11'
TESTED='3.13 3.12 3.11'

say() { printf '%s\n' "$*" >&2; }
is_new_enough() { "$1" -c "import sys; sys.exit(sys.version_info < ($OLDEST))" 2>/dev/null; }
has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }
version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

# Every command of that name on PATH: the first may be a shim that fails where a later one works.
all_named() {
    old_ifs=$IFS
    IFS=:
    for dir in $PATH; do
        [ -x "${dir:-.}/$1" ] && [ ! -d "${dir:-.}/$1" ] && printf '%s\n' "${dir:-.}/$1"
    done
    IFS=$old_ifs
    return 0
}

find_python() {
    without_venv=
    too_old=
    if [ -n "${PYTHON:-}" ]; then
        candidates=$(command -v "$PYTHON" || true)
        [ -n "$candidates" ] || { say "PYTHON=$PYTHON: no such command"; return 1; }
    else
        candidates=$(for version in $TESTED; do all_named "python$version"; done; all_named python3; all_named python)
    fi
    while IFS= read -r python; do
        [ -n "$python" ] || continue
        if is_new_enough "$python"; then
            if has_venv "$python"; then
                printf '%s\n' "$python"
                return 0
            fi
            [ -n "$without_venv" ] || without_venv=$(version_of "$python")
        elif [ -z "$too_old" ]; then
            too_old=$(version_of "$python" || true)
        fi
    done <<CANDIDATES
$candidates
CANDIDATES
    if [ -n "$without_venv" ]; then
        say "Python $without_venv is here, but without venv."
    elif [ -n "$too_old" ]; then
        say "Python $too_old is here, which is too old."
    else
        say "Python is not here."
    fi
    say "stagebridge needs Python ≥ 3.11 with venv: $(install_line "$without_venv" "$too_old")"
    return 1
}

# $1: the version that lacks venv, $2: the version that is too old, or empty.
install_line() {
    if command -v apt-get >/dev/null 2>&1; then
        system=$(version_of /usr/bin/python3 || true)
        if [ -n "$1" ] && [ "$1" != "$system" ]; then
            echo "sudo apt install python$1-venv"
        elif [ -z "$1" ] && [ -n "$2" ] && [ "$2" = "$system" ]; then
            echo "sudo apt install python3.11-venv (if your release has none: a newer Debian or Ubuntu)"
        else
            echo "sudo apt install python3-venv"
        fi
    elif command -v dnf >/dev/null 2>&1; then
        echo "sudo dnf install python3"
    elif command -v pacman >/dev/null 2>&1; then
        echo "sudo pacman -S python"
    elif [ "$(uname -s)" = Darwin ]; then
        echo "brew install python"
    else
        echo "https://www.python.org/downloads/"
    fi
}

if [ "${1:-}" = --find ]; then
    find_python
    exit
fi

target=.
[ "${1:-}" = test ] && target='.[test]'

venv_python=.venv/bin/python
if [ -x "$venv_python" ] && is_new_enough "$venv_python" && "$venv_python" -m pip --version >/dev/null 2>&1; then
    :
else
    python=$(find_python) || exit 1
    say "making .venv with $python ($("$python" --version 2>&1))"
    "$python" -m venv --clear .venv
fi

say "installing into .venv (once) …"
if ! "$venv_python" -m pip install --disable-pip-version-check --quiet --editable "$target"; then
    say "pip could not install what stagebridge needs (see above). The first time needs the internet; later starts do not."
    exit 1
fi
# MIDI is an extra: python-rtmidi is built from source where there is no wheel of it, and that may fail.
if ! "$venv_python" -c 'import rtmidi' 2>/dev/null &&
    ! "$venv_python" -m pip install --disable-pip-version-check --quiet --editable '.[midi]' >.venv/midi.log 2>&1; then
    say "MIDI will not work: python-rtmidi could not be installed (.venv/midi.log says why). Everything else works."
    say "On Debian and Ubuntu it is built with: sudo apt install gcc g++ python3-dev libasound2-dev libjack-jackd2-dev"
fi
touch .venv/.ready-run
[ "${1:-}" != test ] || touch .venv/.ready-test
