"""A disk that fails when a test says so: SQLite's own system calls, replaced one by one (sqlite3_vfs.xSetSystemCall).

with FaultyDisk() as disk:
    disk.fail(3, errno.ENOSPC)      # the third call from now on, and all that follow
"""

import _sqlite3
import ctypes
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

POINTER = ctypes.c_void_p
CALLS = {  # name in os_unix.c: result, arguments
    "write": (ctypes.c_ssize_t, (ctypes.c_int, POINTER, ctypes.c_size_t)),
    "pwrite64": (ctypes.c_ssize_t, (ctypes.c_int, POINTER, ctypes.c_size_t, ctypes.c_int64)),
    "pwrite": (ctypes.c_ssize_t, (ctypes.c_int, POINTER, ctypes.c_size_t, ctypes.c_int64)),
    "ftruncate": (ctypes.c_int, (ctypes.c_int, ctypes.c_int64)),
    "unlink": (ctypes.c_int, (ctypes.c_char_p,)),
}


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int), ("file_size", ctypes.c_int), ("path_size", ctypes.c_int),
        *((name, POINTER) for name in (
            "next", "name", "data", "open", "delete", "access", "full_pathname", "dl_open", "dl_error", "dl_sym",
            "dl_close", "randomness", "sleep", "current_time", "last_error", "current_time_64", "set_call", "get_call",
            "next_call",
        )),
    )  # fmt: skip


class FaultyDisk:
    """``steps`` counts the calls since ``fail`` or ``heal``, ``failed`` those of them that failed."""

    def __init__(self) -> None:
        library = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        self._vfs: Any = library.sqlite3_vfs_find(None)
        table = self._vfs.contents
        self._set = ctypes.CFUNCTYPE(ctypes.c_int, POINTER, ctypes.c_char_p, POINTER)(table.set_call)
        self._get = ctypes.CFUNCTYPE(POINTER, POINTER, ctypes.c_char_p)(table.get_call)
        self._kept: list[Any] = []
        self.steps = self.failed = 0
        self._from: int | None = None
        self._until = 0
        self._errno = 0

    def __enter__(self) -> Self:
        for name, (result, arguments) in CALLS.items():
            found = self._get(self._vfs, name.encode())
            if found:
                kind = ctypes.CFUNCTYPE(result, *arguments, use_errno=True)
                replacement = kind(self._faulty(kind(found)))
                self._kept.append(replacement)
                self._set(self._vfs, name.encode(), ctypes.cast(replacement, POINTER))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for name in CALLS:
            self._set(self._vfs, name.encode(), None)  # as it was

    def fail(self, step: int, number: int, count: int = 1 << 30) -> None:
        """From the ``step``-th call from now on, ``count`` calls fail with this errno."""
        self.steps = self.failed = 0
        self._from, self._until, self._errno = step, step + count, number

    def heal(self) -> None:
        """Nothing fails any more."""
        self.steps, self._from = 0, None

    def _faulty(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(*arguments: Any) -> int:
            self.steps += 1
            if self._from is not None and self._from <= self.steps < self._until:
                self.failed += 1
                ctypes.set_errno(self._errno)
                return -1
            return real(*arguments)

        return call
