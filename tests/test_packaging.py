"""What people install: the wheel in an empty environment, and `make run` in a fresh copy of the repository."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from bridge import __version__
from tests.daemon import ROOT, Daemon
from tests.peers import missing

NEEDED = [
    "bridge/cli/__init__.py",
    "bridge/py.typed",
    "bridge/config.toml",
    "bridge/web/index.html",
    "bridge/web/stagebridge.js",
    "bridge/web/stagebridge.css",
    "bridge/web/elements/index.js",
    "bridge/pages/sliders.html",
    "bridge/profiles/x32.toml",
    "bridge/profiles/midi/mcu.toml",
]


def clean_environment(**more: str) -> dict[str, str]:
    """Without what would let a test find this checkout, or tell pip or make to behave otherwise."""
    drop = ("PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON", "CONFIG", "ARGS")
    return {**{name: value for name, value in os.environ.items() if name not in drop}, **more}


def sources() -> list[str]:
    """Files of the repository as a commit of the present state would have them; all of them in an unpacked archive."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listing.returncode == 0:
        names = listing.stdout.split("\0")
    else:
        tops = ("bridge", "web", "pages", "docs", "scripts", "tests")
        found = [path for top in tops for path in (ROOT / top).rglob("*")] + list(ROOT.glob("*"))
        names = [path.relative_to(ROOT).as_posix() for path in found if "__pycache__" not in path.parts]
    return [name for name in names if name and (ROOT / name).is_file()]


def pip_install(python: Path, *what: str) -> None:
    """Install with pip, from its cache where it can; skip (in CI fail) where the network is needed and missing."""
    answer = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what],
        capture_output=True, text=True, check=False, env=clean_environment(),
    )  # fmt: skip
    if answer.returncode != 0 and re.search(
        r"connection|network|No matching distribution", answer.stderr, re.IGNORECASE
    ):
        missing(f"pip cannot reach its index: {answer.stderr.strip().splitlines()[-1]}")
    assert answer.returncode == 0, answer.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    answer = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT],
        capture_output=True, text=True, check=False, env=clean_environment(),
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


def test_the_wheel_has_the_pages_and_the_demo_and_nothing_of_the_workshop(wheel: Path) -> None:
    assert wheel.name == f"stagebridge-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert [name for name in NEEDED if name not in names] == []
    tops = {name.split("/")[0] for name in names}
    assert tops == {"bridge", f"stagebridge-{__version__}.dist-info"}
    assert [name for name in names if "__pycache__" in name] == []
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_every_file_of_the_page_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    pages = {name for name in sources() if name.split("/")[0] in ("web", "pages")}
    assert {f"bridge/{name}" for name in pages} - names == set()


def test_the_source_distribution_has_the_tests_and_nothing_built(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {"Makefile", "LICENSE", "README.md", "config.toml", "web/index.html", "tests/conftest.py"} <= names
    assert [name for name in names if name.startswith((".venv", "build", "dist")) or "__pycache__" in name] == []


@pytest.mark.network
@pytest.mark.timeout(300)
def test_the_installed_wheel_runs_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    pip_install(binaries / "python", str(wheel))
    stagebridge = binaries / "stagebridge"
    away = tmp_path / "away"
    away.mkdir()

    def run(*args: str) -> str:
        return subprocess.run(
            [stagebridge, *args],
            cwd=away,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        ).stdout

    assert run("--version") == f"stagebridge {__version__}\n"
    env = {"PYTHONPATH": ""}
    with Daemon.start(None, away, program=[str(stagebridge)], env=env) as daemon:  # without any file: the demo
        assert "on the demo" in daemon.stdout
        status, page = daemon.request("GET", "/")
        assert (status, page.lower().startswith("<!doctype html>")) == (200, True)
        for path in ("/stagebridge.js", "/stagebridge.css", "/pages/sliders.html", "/elements/index.js"):
            assert daemon.request("GET", path)[0] == 200, path
        assert daemon.request("GET", "/api/controls/mixer/8/volume")[0] == 200
        assert run("get", "/tempo", "--url", daemon.url) == "120\n"
    program = "stagebridge" if shutil.which("stagebridge", path=clean_environment().get("PATH")) else stagebridge
    assert run("init") == f"config.toml is written; start with: {program} run config.toml\n"
    assert run("check").startswith("config.toml: no mistakes")
    freed = subprocess.run(
        [binaries / "python", "-c", "import bridge; print(bridge.__file__)"],
        cwd=away, env=clean_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert str(tmp_path) in freed.stdout, "it must not have been this checkout that ran"


@pytest.mark.network
@pytest.mark.timeout(300)
def test_make_run_in_a_fresh_copy_starts_and_the_second_time_at_once_without_network(tmp_path: Path) -> None:
    if not shutil.which("make"):
        missing("make is not installed: sudo apt install make")
    copy = tmp_path / "stagebridge"
    for name in sources():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    first_s, said = make_run(copy, limit_s=200)
    if first_s is None and re.search(r"connection|network", said, re.IGNORECASE):
        missing(f"pip cannot reach its index: {said.strip().splitlines()[-1]}")
    assert first_s is not None, said
    assert "making .venv with" in said
    assert "on config.toml" in said
    second_s, said = make_run(copy, limit_s=30, PIP_NO_INDEX="1", PIP_INDEX_URL="http://127.0.0.1:9/")
    assert second_s is not None, said
    assert "installing" not in said
    assert second_s < max(3.0, first_s / 4), "a second without anything else running"


def hear_control_c() -> None:
    """What a shell starts in the background has SIGINT ignored, and hands that on: scripts/test.sh does so."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def make_run(copy: Path, limit_s: float, **env: str) -> tuple[float | None, str]:
    """Start `make run` in a process group of its own, stop it once it is up: (seconds to ready or None, its output)."""
    output = copy.parent / "output.txt"
    began = time.monotonic()
    with output.open("wb") as stream:
        process = subprocess.Popen(
            ["make", "run", "ARGS=--port 0 --host 127.0.0.1", f"PYTHON={sys._base_executable}"],  # type: ignore[attr-defined]
            cwd=copy, env=clean_environment(**env), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
            start_new_session=True, preexec_fn=hear_control_c,  # noqa: PLW1509 - no thread runs here
        )  # fmt: skip
        ready_s = None
        while process.poll() is None and time.monotonic() - began < limit_s:
            if b"http://127.0.0.1:" in output.read_bytes():
                ready_s = time.monotonic() - began
                break
            time.sleep(0.02)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(15)
    return ready_s, output.read_text(encoding="utf-8", errors="replace")


# scripts/setup.sh: which Python


class Shell:
    """A PATH of nothing but a few tools and made-up Pythons."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.add_tools("sh", "dirname", "uname")

    def add_tools(self, *names: str) -> None:
        for name in names:
            (self.folder / name).symlink_to(shutil.which(name) or name)

    def add_python(self, name: str, script: str, folder: str = "") -> Path:
        path = self.folder / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def find(self, *folders: str) -> tuple[int, str, str]:
        path = ":".join(str(self.folder / folder) for folder in ("", *folders))
        answer = subprocess.run(
            ["sh", str(ROOT / "scripts/setup.sh"), "--find"],
            env={"PATH": path}, capture_output=True, text=True, check=False, timeout=20,
        )  # fmt: skip
        return answer.returncode, answer.stdout.strip(), answer.stderr.strip()


WORKS = f'exec {sys.executable} "$@"'
SHIM = 'echo "pyenv: python3.13: command not found" >&2; exit 127'
NO_VENV = f'case "$2" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"'
OLD = 'case "$2" in *print*) echo 3.9;; *) exit 1;; esac'


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_the_newest_python_that_works_is_chosen(shell: Shell) -> None:
    shell.add_python("python3.13", SHIM)
    wanted = shell.add_python("python3.12", WORKS)
    shell.add_python("python3.11", WORKS)
    shell.add_python("python3", WORKS)
    assert shell.find() == (0, str(wanted), "")


def test_behind_a_shim_that_fails_the_real_python_is_found(shell: Shell) -> None:
    shell.add_python("python3.13", SHIM)
    wanted = shell.add_python("python3.13", WORKS, folder="usr")
    assert shell.find("usr") == (0, str(wanted), "")


def test_a_python_without_venv_gives_way_to_one_with_it(shell: Shell) -> None:
    shell.add_python("python3.13", NO_VENV)
    wanted = shell.add_python("python3", WORKS)
    assert shell.find() == (0, str(wanted), "")


@pytest.mark.parametrize(
    ("pythons", "first_line"),
    [
        ({}, "Python is not here."),
        ({"python3": OLD}, "Python 3.9 is here, which is too old."),
        ({"python3": NO_VENV}, "Python {version} is here, but without venv."),
    ],
)
def test_what_is_missing_is_named_with_the_line_that_installs_it(
    shell: Shell, pythons: dict[str, str], first_line: str
) -> None:
    shell.add_tools("env")
    (shell.folder / "apt-get").symlink_to("/bin/true")
    for name, script in pythons.items():
        shell.add_python(name, script)
    code, out, said = shell.find()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert (code, out) == (1, "")
    assert said.splitlines()[0] == first_line.format(version=version)
    assert re.fullmatch(
        r"stagebridge needs Python ≥ 3\.11 with venv: sudo apt install python3(\.\d+)?-venv.*", said.splitlines()[1]
    )


def test_make_run_names_what_is_missing_before_pip_starts(shell: Shell, tmp_path: Path) -> None:
    shell.add_tools("make", "touch", "sed")
    copy = tmp_path / "copy"
    (copy / "scripts").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "scripts/setup.sh"):
        shutil.copy2(ROOT / name, copy / name)
    answer = subprocess.run(
        ["make", "run"],
        cwd=copy,
        env={"PATH": str(shell.folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert answer.returncode == 2
    assert "stagebridge needs Python ≥ 3.11 with venv:" in answer.stderr
    assert not (copy / ".venv").exists()


# scripts/test-peers.sh


def peers_script(path: Sequence[str]) -> tuple[int, str]:
    answer = subprocess.run(
        ["sh", str(ROOT / "scripts/test-peers.sh"), "--print"],
        env={"PATH": ":".join(path)}, capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    assert answer.stdout == ""
    return answer.returncode, answer.stderr


def listed_peers() -> dict[str, list[str]]:
    """Debian package → the commands that show it is there."""
    lines = (ROOT / "tests/debian-packages.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return {package: commands for package, *commands in rows}


def test_missing_test_peers_are_one_line_to_run(shell: Shell) -> None:
    shell.add_tools("id")
    (shell.folder / "apt-get").symlink_to("/bin/true")
    for package, commands in listed_peers().items():
        if package not in ("chromium-headless-shell", "puredata-core"):
            (shell.folder / commands[-1]).symlink_to("/bin/true")  # any one of them will do
    code, said = peers_script([str(shell.folder)])
    assert code == 0
    line = "  sudo apt-get install --yes --no-install-recommends chromium-headless-shell puredata-core"
    assert said.splitlines()[-1] == line


def test_nothing_is_said_when_every_test_peer_is_there(shell: Shell) -> None:
    for commands in listed_peers().values():
        (shell.folder / commands[0]).symlink_to("/bin/true")
    assert peers_script([str(shell.folder)]) == (0, "")


# scripts/audit.py


@pytest.mark.parametrize(
    ("told", "code", "said"),
    [
        ('{"dependencies": [{"name": "a", "version": "1", "vulns": []}]}', 0, r"audit: \d+ packages, 0 known .*\n"),
        (
            '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}]}]}',
            1,
            r"audit: \d+ packages, 1 known vulnerabilities\n  a 1: CVE-1\n",
        ),
        ('{"dependencies": [{"name": "a", "skip_reason": "not found"}]}', 0, r"audit: skipped: .* cannot be reached\n"),
        ("no connection", 0, r"audit: skipped: .* cannot be reached\n"),
    ],
    ids=["nothing known", "something known", "a database without our packages", "no database"],
)
def test_the_audit_fails_for_what_is_known_and_for_nothing_else(
    told: str, code: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "pip_audit.py").write_text(f"print({told!r})")
    answer = subprocess.run(
        [sys.executable, ROOT / "scripts/audit.py"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    assert answer.returncode == code, answer.stderr
    assert re.fullmatch(said, answer.stdout)


def test_the_lock_has_a_hash_for_all_that_we_ask_for_and_no_address() -> None:
    lock = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    pins = re.split(r"^(?=[\w.-]+==)", lock, flags=re.MULTILINE)[1:]
    assert [pin for pin in pins if "--hash=sha256:" not in pin] == []
    assert "://" not in lock
    assert "--index" not in lock
    locked = {pin.partition("==")[0]: re.findall(r"==([\w.]+)", pin)[0] for pin in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for line in [*project["dependencies"], *extras["test"], *extras["midi"], *extras["tls"]]:
        asked = Requirement(line)
        assert asked.specifier.contains(locked[asked.name]), line
