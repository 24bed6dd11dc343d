"""Where the files that are not Python live: the page, people's pages and the demo configuration.

In a wheel they are inside the package (`bridge/web`, `bridge/pages`, `bridge/config.toml`: hatch_build.py); in a
checkout they are at the top of the repository, where people look for them. Nothing else in the program needs to know
which it is.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def web_dir() -> Path:
    """The directory served at `/`. Raises FileNotFoundError when the installation is incomplete."""
    return _find("web")


def pages_dir(own: Path | None = None) -> Path:
    """What is served under `/pages/`: people's own pages, where the configuration names them; else the examples."""
    return own or _find("pages")


def profiles_dir() -> Path:
    """The profiles that come with stagebridge; they are always inside the package."""
    return _PACKAGE / "profiles"


def default_config() -> Path:
    """The commented demo configuration: what `run` uses without a file, and what `init` writes."""
    return _find("config.toml")


def _find(name: str) -> Path:
    for root in (_PACKAGE, _PACKAGE.parent):
        path = root / name
        if path.exists():
            return path
    raise FileNotFoundError(f"{name} is missing from this installation of stagebridge ({_PACKAGE}): install it again")
