"""System calls that fail in one thread, whoever makes them there: Linux's seccomp (seccomp(2), filter mode).

What a thread has been forbidden it is not given back, so the thread has to end: run what is to fail in one of its own.
"""

import ctypes
import errno
import platform
import struct
import sys

import pytest

NUMBERS = {
    "x86_64": {"fsync": 74, "fdatasync": 75, "prlimit64": 302},
    "aarch64": {"fsync": 82, "fdatasync": 83, "prlimit64": 261},
}
"""Of the kernel's tables (asm/unistd.h)."""

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2  # linux/prctl.h, linux/seccomp.h
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h: LD|W|ABS, JMP|JEQ|K, RET|K
_FAIL, _ALLOW = 0x00050000, 0x7FFF0000  # SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW


def fail_in_this_thread(number: int, *names: str) -> None:
    """From now on these calls fail with this errno in the thread that says so. Skips where there is no seccomp."""
    numbers = NUMBERS.get(platform.machine())
    if sys.platform != "linux" or numbers is None:
        pytest.skip("seccomp is Linux's, and the numbers of other machines' calls are not known here")
    wanted = [numbers[name] for name in names]
    steps = [(_LOAD, 0, 0, 0)]  # seccomp_data.nr
    steps += [(_JUMP_IF_EQUAL, len(wanted) - index, 0, call) for index, call in enumerate(wanted)]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _FAIL | number)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = struct.pack("@HxxxxxxP", len(steps), ctypes.addressof(code))  # struct sock_fprog
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0)):
        if libc.prctl(*map(_as_long, arguments)) != 0:
            pytest.skip(f"seccomp is not to be had here: {errno.errorcode.get(ctypes.get_errno())}")


def _as_long(argument: int | bytes) -> ctypes.c_ulong | bytes:
    return argument if isinstance(argument, bytes) else ctypes.c_ulong(argument)
