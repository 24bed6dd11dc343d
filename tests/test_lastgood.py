"""A service whose file has mistakes at boot starts its last good copy, and says so."""

from pathlib import Path

import pytest

from bridge import app
from bridge.config import lastgood
from bridge.errors import ConfigError
from tests.daemon import Daemon

GOOD = '[[osc]]\nname = "desk"\nprofile = "own"\n[http]\npages = "mine"\n[[control]]\npath = "/good"\n'
OWN = "send = 'last'\nlisten = '127.0.0.1:0'\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    show = tmp_path / "show"
    (show / "profiles").mkdir(parents=True)
    (show / "mine").mkdir()
    (show / "profiles" / "own.toml").write_text(OWN)
    (show / "show.toml").write_text(GOOD)
    return show / "show.toml"


def start(file: Path, state: Path | None) -> lastgood.Start:
    """A boot: what is good is kept."""
    started = lastgood.start(file, state, app.KINDS, {})
    lastgood.keep(state, file, started)
    return started


def test_a_good_file_is_itself_started(file: Path, tmp_path: Path) -> None:
    started = start(file, tmp_path / "state")
    assert started.trouble == ""
    assert started.settings.file == file


@pytest.mark.parametrize("wrong", ["mistake", "syntax", "gone", "profile", "pages"])
def test_a_wrong_file_starts_the_last_good_copy(file: Path, tmp_path: Path, wrong: str) -> None:
    state = tmp_path / "state"
    start(file, state)
    if wrong == "mistake":
        file.write_text(GOOD + "rang = 1\nwidgt = 2\n")
    elif wrong == "syntax":
        file.write_text("[[control\n")
    elif wrong == "gone":
        file.unlink()
    elif wrong == "profile":
        (file.parent / "profiles" / "own.toml").write_text("liste = 1\n")
    else:
        (file.parent / "mine").rmdir()
    started = start(file, state)
    assert [control.path for control in started.settings.controls] == ["/good"]
    assert started.settings.file == file
    assert started.settings.http.pages == (None if wrong == "pages" else file.parent / "mine")
    assert ("own.toml" if wrong == "profile" else "show.toml") in started.trouble
    assert ("(and 1 more)" in started.trouble) == (wrong == "mistake")
    assert start(file, state).trouble, "the copy is still there at the next boot"
    file.write_text(GOOD)
    (file.parent / "profiles" / "own.toml").write_text(OWN)
    (file.parent / "mine").mkdir(exist_ok=True)
    assert start(file, state).trouble == ""


def test_the_copy_follows_the_file_and_only_one_is_kept(file: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    for name in ("/one", "/two"):
        file.write_text(f'[[control]]\npath = "{name}"\n')
        start(file, state)
    file.write_text("x")
    assert [control.path for control in start(file, state).settings.controls] == ["/two"]
    assert len(list((state / "last-good").glob("*/*/config.toml"))) == 1


def test_another_files_copy_is_not_started(file: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    start(file, state)
    other = file.with_name("other.toml")
    other.write_text("x")
    with pytest.raises(ConfigError):
        start(other, state)


@pytest.mark.parametrize("now", [None, "{", "[]", '{"copy": 1}', '{"copy": "../..", "kept": 1.0}'])
def test_without_a_usable_copy_the_mistakes_are_said(file: Path, tmp_path: Path, now: str | None) -> None:
    state = tmp_path / "state"
    start(file, state)
    marks = next((state / "last-good").glob("*/now.json"))
    if now is None:
        marks.unlink()
    else:
        marks.write_text(now)
    file.write_text("rang = 1\n")
    with pytest.raises(ConfigError, match="rang"):
        start(file, state)


def test_where_nothing_can_be_kept_it_starts_all_the_same(
    file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert start(file, None).trouble == ""
    (tmp_path / "state").write_text("a file")
    assert start(file, tmp_path / "state").trouble == ""
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "no last good copy of the configuration is kept"
    ] * 2


def test_a_daemon_on_its_last_good_copy_says_so_everywhere(tmp_path: Path) -> None:
    file, state = tmp_path / "config.toml", tmp_path / "service"
    file.write_text('[[control]]\npath = "/good"\n')
    start(file, state / "stagebridge")
    no_home = {"HOME": "", "XDG_STATE_HOME": str(state)}  # Daemon leaves no $STATE_DIRECTORY
    with Daemon.start('[[control]]\npath = "/bad"\nrang = 1\n', tmp_path, "--last-good", env=no_home) as daemon:
        assert daemon.value("/good") == 0
        trouble = daemon.value("/stagebridge/config")
        assert "runs instead: config.toml:3: control[0].rang = 1: unknown key" in trouble
        assert daemon.request("GET", "/healthz")[1]["config"] == {"file": str(file), "trouble": trouble}
        assert f"THE CONFIGURATION HAS MISTAKES: {trouble}" in daemon.stdout
        assert f"error: {trouble}" in daemon.stderr
        assert f"error: {file}:3: control[0].rang = 1" in daemon.stderr
