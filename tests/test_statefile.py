"""The state file on disks that fail: all or nothing is written, and what cannot be read is set aside, never lost."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge.errors import StateError
from bridge.saved import Row
from bridge.statefile import OURS, StateFile
from tests.faultydisk import FaultyDisk
from tests.seccomp import fail_in_this_thread

OLD = {f"/mixer/{n}": Row("0.25") for n in range(300)}
NEW = {f"/mixer/{n}": Row("0.7500000000000001") for n in range(0, 300, 2)} | {"/xy": Row("[0.1,0.2]", '{"a":"é"}')}


@contextmanager
def opened(path: Path) -> Iterator[StateFile]:
    file = StateFile(path)
    try:
        yield file
    finally:
        file.close()


def written(path: Path) -> dict[str, Row]:
    with opened(path) as file:
        return file.open()


def after_a_crash(path: Path, folder: Path) -> dict[str, Row]:
    """What the next run would find if this one were killed now; and SQLite has nothing to complain about."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for each in path.parent.glob(f"{path.name}*"):
        shutil.copy(each, folder)
    with sqlite3.connect(folder / path.name) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()
    return written(folder / path.name)


def test_what_is_written_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there yet" / "state.db"
    with opened(path) as file:
        assert file.open() == {}
        file.write(OLD)
        file.write(NEW)
        file.write({"/mixer/1": Row(), "/never": Row()})
        assert after_a_crash(path, tmp_path / "crash") == {k: v for k, v in (OLD | NEW).items() if k != "/mixer/1"}
    assert written(path) == {k: v for k, v in (OLD | NEW).items() if k != "/mixer/1"}
    assert sorted(each.name for each in path.parent.iterdir()) == ["state.db"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_whichever_step_of_a_write_fails_it_is_all_or_nothing_and_comes_later(tmp_path: Path, number: int) -> None:
    path, said = tmp_path / "state.db", set()
    with FaultyDisk() as disk, opened(path) as file:
        file.open()
        for step in range(1, 100):
            file.open_again(OLD | {"/xy": Row()})
            disk.fail(step, number)
            try:
                file.write(NEW)
            except StateError as exc:
                said.add(str(exc).split(" (")[0])
            else:
                assert disk.failed == 0
                break  # it has no more steps than these
            assert disk.failed
            disk.heal()
            assert after_a_crash(path, tmp_path / "crash") in (OLD, OLD | NEW)
            disk.fail(1, number)
            with pytest.raises(StateError):  # still so
                file.open_again(OLD | NEW)
            disk.heal()
            file.open_again(OLD | NEW)
            assert after_a_crash(path, tmp_path / "crash") == OLD | NEW
    assert step >= 4
    why = {errno.ENOSPC: "the disk is full", errno.EIO: "the disk fails"}
    assert said == {f"{path} cannot be written: {why[number]}"}


def test_whichever_step_of_the_first_opening_fails_the_next_one_is_whole(tmp_path: Path) -> None:
    with FaultyDisk() as disk:
        with opened(tmp_path / "measured.db") as file:
            file.open()
            steps = disk.steps
        assert steps >= 3
        for step in range(1, steps + 1):
            path = tmp_path / f"{step}.db"
            disk.fail(step, (errno.ENOSPC, errno.EIO)[step % 2], count=1)
            with opened(path) as file:
                try:
                    file.open()
                except StateError as exc:
                    assert "cannot be" in str(exc)
                disk.heal()
                file.open_again(OLD)
            assert written(path) == OLD
    assert not list(tmp_path.glob("*broken*"))


def test_a_disk_that_does_not_confirm_what_it_was_given_is_said_and_all_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    said: list[str] = []

    def on_a_disk_that_fails() -> None:
        with opened(path) as file:
            file.open()
            file.write(OLD)
            fail_in_this_thread(errno.EIO, "fsync", "fdatasync")
            for _ in range(2):  # the second finds it closed
                with pytest.raises(StateError) as raised:
                    file.write(NEW)
                said.append(str(raised.value))

    thread = threading.Thread(target=on_a_disk_that_fails)
    thread.start()
    thread.join()
    assert said[0].startswith(f"{path} cannot be written: the disk fails")
    assert after_a_crash(path, tmp_path / "crash") in (OLD, OLD | NEW)
    with opened(path) as file:
        file.open_again(OLD | NEW)
    assert written(path) == OLD | NEW


def test_a_full_disk_while_the_log_goes_back_into_the_file_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with FaultyDisk() as disk, opened(path) as file:
        file.open()
        last = OLD
        for turn in range(60):  # more pages than PAGES_KEPT
            disk.fail(1 + turn % 25, errno.ENOSPC, count=3)
            last = {key: Row(f"{turn}.5") for key in OLD}
            try:
                file.write(last)
            except StateError:
                disk.heal()
                file.open_again(last)
            disk.heal()
        assert after_a_crash(path, tmp_path / "crash") == last


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 100)


def scribbled(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 2000)


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def a_text(path: Path) -> None:
    path.write_text("no database\n" * 100)


@pytest.mark.parametrize("broken", [truncated, scribbled, zeroed, a_text])
def test_a_broken_file_is_set_aside_and_never_deleted(tmp_path: Path, broken: Callable[[Path], None]) -> None:
    path = tmp_path / "state.db"
    for number in (1, 2):
        with opened(path) as file:
            file.open()
            file.write(OLD)
        broken(path)
        as_it_is = path.read_bytes()
        with opened(path) as file:
            assert file.open() == {}
            assert file.aside == tmp_path / f"state.broken-{number}.db"
            assert file.aside.read_bytes() == as_it_is
            file.write(NEW)
        assert written(path) == NEW


def test_a_file_that_was_cut_while_it_was_open_is_set_aside_when_that_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with opened(path) as file:
        file.open()
        file.write(OLD)
        file.close()
        file.open()
        truncated(path)
        with pytest.raises(StateError):
            for _ in range(3):
                file.write(NEW)
                file.write(OLD)
                file.close()  # the next write finds it closed, if nothing was found before
        file.open_again(OLD)
    assert OLD.items() <= written(path).items()


def test_half_a_log_gives_what_was_committed_before(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with opened(path) as file:
        file.open()
        file.write(OLD)
        log = tmp_path / "state.db-wal"
        before = log.stat().st_size
        file.write(NEW)
        copy = tmp_path / "copy.db"
        for cut in range(before, log.stat().st_size, 1500):
            shutil.copy(path, copy)
            shutil.copy(log, f"{copy}-wal")
            os.truncate(f"{copy}-wal", cut)
            assert written(copy) == OLD


def test_a_file_of_somebody_else_and_one_of_a_newer_version_are_left_alone(tmp_path: Path) -> None:
    foreign, newer = tmp_path / "foreign.db", tmp_path / "newer.db"
    for path, pragma in ((foreign, "user_version = 3"), (newer, f"application_id = {OURS}; PRAGMA user_version = 2")):
        db = sqlite3.connect(path)
        db.executescript(f"CREATE TABLE control (path TEXT); INSERT INTO control VALUES ('x'); PRAGMA {pragma};")
        db.close()
        before = path.read_bytes()
        with opened(path) as file, pytest.raises(StateError, match=r"left alone|of a newer stagebridge"):
            file.open()
        assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_second_program_is_kept_out_while_the_first_has_the_file(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    code = (
        "import sys; from pathlib import Path; from bridge.statefile import StateFile; from bridge.saved import Row\n"
        "file = StateFile(Path(sys.argv[1])); file.open(); file.write({'/a': Row('1')}); print('open', flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        assert first.stdout.readline() == b"open\n"
        with opened(path) as file:
            with pytest.raises(StateError, match="is open in another program"):
                file.open()
            first.kill()
            first.wait()
            assert file.open() == {"/a": Row("1")}  # its locks went with it, and its log is read


def test_a_folder_that_cannot_be_written_is_read_all_the_same(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    path = tmp_path / "state.db"
    with opened(path) as file:
        file.open()
        file.write(OLD)
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        with opened(path) as file, pytest.raises(StateError, match="cannot be") as caught:
            file.open()
        assert caught.value.rows == OLD
    finally:
        tmp_path.chmod(0o700)


def test_what_a_read_only_disk_holds_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with opened(path) as file:
        file.open()
        file.write(OLD)
    with FaultyDisk() as disk, opened(path) as file:
        disk.fail(1, errno.EROFS)
        with pytest.raises(StateError, match="cannot be") as caught:
            file.open()
        assert caught.value.rows == OLD


def test_a_file_that_was_taken_away_is_noticed_and_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with opened(path) as file:
        file.open()
        file.write(OLD)
        for each in tmp_path.iterdir():
            each.unlink()
        with pytest.raises(StateError, match="is not there any more"):
            file.write(NEW)
        file.open_again(OLD | NEW)
    assert written(path) == OLD | NEW
