"""What is read from the machine: CPU time and memory of a process, UDP queues, load, a description. Linux only."""

from __future__ import annotations

import os
import platform
import re
import time
from pathlib import Path

LOUD = 0.7
"""A load average above this, before we have done anything, means that others use the machine."""

FIRST = -15
"""Nice value of server and load alike: what others do on the machine disturbs less."""

_ALLOWED = sorted(os.sched_getaffinity(0))  # before we have confined ourselves to one of them


def cores() -> tuple[int, int]:
    """One core for the server and one for the load; the same where there is only one."""
    return _ALLOWED[0], _ALLOWED[-1]


def come_first() -> bool:
    """Ask to be served before others, for us and the servers that we start; False where that is not allowed."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, FIRST)
    except OSError:
        return False
    return True


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, of all threads of a process so far, to the nanosecond.

    The clock of another process: linux/posix-timers.h, MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED).
    """
    return time.clock_gettime((~pid << 3) | 2)


def rss_bytes(pid: int) -> int:
    """Memory of a process that is resident now."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def udp_queue(port: int) -> tuple[int, int]:
    """(bytes that wait in the receive queue of a UDP port, datagrams that the kernel has dropped there)."""
    own = f":{port:04X}"
    for line in Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]:
        row = line.split()
        if row[1].endswith(own):
            return int(row[4].split(":")[1], 16), int(row[-1])
    return 0, 0


def load() -> float:
    """Load average of the last minute."""
    return os.getloadavg()[0]


def others_share(seconds: float = 0.5) -> float:
    """Share of one core that everything on this machine uses now; ask it while nothing of ours runs."""

    def busy() -> float:
        ticks = [int(part) for part in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]]
        return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")

    before = busy()
    time.sleep(seconds)
    return (busy() - before) / seconds


def wait_for_calm(limit_s: float) -> float:
    """Wait until the load is below LOUD, at most so long. Returns the load then."""
    end = time.monotonic() + limit_s
    while load() > LOUD and time.monotonic() < end:
        time.sleep(5)
    return load()


def described() -> str:
    """Processor, cores, kernel, Python: one line."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    name = model[1] if model else platform.machine()
    return f"{name}, {len(_ALLOWED)} cores, Linux {platform.release()}, Python {platform.python_version()}"
