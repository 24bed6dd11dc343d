"""How many files and sockets this process may have open: raised towards what the system allows. Asks the kernel."""

from __future__ import annotations

import sys

OTHERS = 256
"""Beside connections to the HTTP port: peers, MIDI, files, libraries."""


def make_room(connections: int) -> str:
    """See that so many connections fit. Returns why not all of them do; "" where they do."""
    if sys.platform == "win32":
        return ""
    import resource

    wanted = connections + OTHERS
    try:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    except OSError:  # a sandbox does not even tell
        return ""
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return ""
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if most > soft:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError):  # a sandbox forbids it
            most = soft
    if most >= wanted:
        return ""
    return (
        f"[http.limits] connections = {connections} are more than the system lets us have: {most} files and sockets "
        "in all (ulimit -n; LimitNOFILE= of a service)"
    )
