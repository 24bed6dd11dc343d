"""Files for browsers: read once, compressed once, revalidated by ETag, never from outside their folder.

Pure but for reading files. Not here: HTTP (``http``).
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

MAX_CACHED = 512
MAX_FILE_BYTES = 32 * 1024 * 1024
_SMALLEST_GZIP = 512  # below, the header eats what is saved

_TYPES = {  # what the system's own table may lack or get wrong (a .js served as text/plain is refused as a module)
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_COMPRESSIBLE = ("text/", "application/json", "application/manifest+json", "image/svg+xml")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to send. ``packed`` is its gzip, or None where that does not pay."""

    content_type: str
    etag: str
    body: bytes
    packed: bytes | None
    stamp: tuple[int, int]


class Assets:
    """The files below one folder. A file that is edited is read again at its next request.

    ``find`` reads the disk: call it off the event loop, from one thread at a time.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._cache: OrderedDict[Path, Asset] = OrderedDict()

    def find(self, path: str) -> Asset | None:
        """The file at a URL path below the root ("" is index.html), or None.

        Links that lead out of the root, hidden files and anything that is not a plain file are None.
        """
        parts = path.split("/") if path else ["index.html"]
        if any(part in ("", ".", "..") or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            return None
        try:
            root = self.root.resolve()
            file = root.joinpath(*parts).resolve()
            if not file.is_relative_to(root) or not file.is_file():
                return None
            stat = file.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            asset = self._cache.get(file)
            if asset is None or asset.stamp != stamp:
                if stat.st_size > MAX_FILE_BYTES:
                    return None
                asset = self._cache[file] = _load(file, stamp)
        except (OSError, ValueError):  # unreadable, a name too long, an encoding that no file has
            return None
        self._cache.move_to_end(file)
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)
        return asset


def _load(file: Path, stamp: tuple[int, int]) -> Asset:
    body = file.read_bytes()
    suffix = file.suffix.lower()
    kind = _TYPES.get(suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    packed = None
    if kind.startswith(_COMPRESSIBLE):
        if len(body) >= _SMALLEST_GZIP:
            packed = gzip.compress(body, 9, mtime=0)
        kind += "; charset=utf-8"
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    return Asset(kind, etag, body, packed if packed is not None and len(packed) < len(body) else None, stamp)
