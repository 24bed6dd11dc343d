"""The service under a real systemd: PID 1 of a container that has this machine's files, and forgets what it writes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.daemon import ROOT
from tests.peers import require_tool
from tests.waiting import SOON_S

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="a container with a PID 1 needs root"),
    pytest.mark.timeout(90),
]

PYTHON = f"/opt/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"
FILE = "/etc/stagebridge/my 100% show.toml"
# As an installation for the machine would be: the folders of this one may be hidden from a hardened service.
ENVIRONMENT = {"LD_LIBRARY_PATH": "/opt/python/lib", "PYTHONPATH": "/opt/stagebridge:/opt/packages"}


class Machine:
    """A container whose PID 1 is this process of ours."""

    def __init__(self, leader: int) -> None:
        self._enter = ["nsenter", "-t", str(leader), "-m", "-u", "-i", "-n", "-p", "env", "-i", "PATH=/usr/bin:/bin"]

    def run(self, *command: str, text: str = "") -> tuple[int, str, str]:
        """(exit code, stdout, stderr) of a command in it."""
        environment = [f"{name}={value}" for name, value in ENVIRONMENT.items()] if command[0] == PYTHON else []
        answer = subprocess.run(
            [*self._enter, *environment, *command], input=text, capture_output=True, text=True, timeout=60, check=False
        )
        return answer.returncode, answer.stdout, answer.stderr

    def write(self, path: str, text: str) -> None:
        """A file in it, and the folders above."""
        script = 'mkdir -p "$(dirname "$1")" && cat > "$1"'
        assert self.run("sh", "-c", script, "sh", path, text=text) == (0, "", "")

    def service(self, *args: str) -> tuple[int, str, str]:
        """`stagebridge service` in it."""
        return self.run(PYTHON, "-P", "-m", "bridge", "service", *args)

    def user(self, *args: str, groups: str) -> tuple[int, str, str]:
        """A command of an ordinary user who is in these groups."""
        who = ["setpriv", "--reuid=54321", "--regid=54321", f"--groups={groups}", "env", "HOME=/nonexistent"]
        return self.run(*who, *(f"{k}={v}" for k, v in ENVIRONMENT.items()), PYTHON, "-P", "-m", "bridge", *args)

    def property(self, name: str) -> str:
        """What systemd says of the unit."""
        return self.run("systemctl", "show", "stagebridge", "-P", name)[1].strip()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    nspawn = require_tool("systemd-nspawn", package="systemd-container")
    folder = tmp_path_factory.mktemp("machine")
    root = folder / "root"
    root.mkdir()
    packages = Path(pytest.__file__).parent.parent
    command = [
        nspawn, "-q", "-D", root, "--volatile=overlay", "--private-network", "--register=no", "--keep-unit",
        "--console=pipe", "--link-journal=no", f"--bind-ro={sys.base_prefix}:/opt/python",
        f"--bind-ro={packages}:/opt/packages", f"--bind-ro={ROOT}:/opt/stagebridge",
        "-b", "systemd.unit=basic.target", "systemd.mask=systemd-udevd.service",
    ]  # fmt: skip
    script = 'mount --bind / "$1" && shift && exec "$@"'
    with (folder / "console").open("wb") as console:
        process = subprocess.Popen(
            ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", root, *command],
            stdin=subprocess.DEVNULL, stdout=console, stderr=console,
        )  # fmt: skip
        try:
            yield _booted(process, folder / "console")
        finally:
            process.terminate()  # powers it off
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


def _booted(process: "subprocess.Popen[bytes]", console: Path) -> Machine:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + SOON_S
    while process.poll() is None and time.monotonic() < deadline:
        if leader := children.read_text().split():
            machine = Machine(int(leader[0]))
            if machine.run("systemctl", "is-active", "basic.target")[1].strip() == "active":
                return machine
        time.sleep(0.05)
    pytest.skip(f"no container comes up here: {console.read_text(errors='replace')[-300:]}")


def test_it_is_installed_restarts_by_itself_on_its_last_good_copy_and_goes(machine: Machine) -> None:
    lines = "".join(f"Environment={name}={value}\n" for name, value in ENVIRONMENT.items())
    machine.write("/etc/systemd/system/stagebridge.service.d/test.conf", f"[Service]\n{lines}")
    machine.write(
        FILE, '[auth]\nmode = "token"\n[http]\nport = 8093\n[http.tls]\nport = 8094\n[[control]]\npath = "/a"\n'
    )
    code, out, err = machine.service("install", "--system", FILE)
    assert (code, err) == (0, "")
    assert "unit: /etc/systemd/system/stagebridge.service\n" in out
    assert f"configuration: {FILE}\n" in out
    assert "restarts after a power cut: yes\n" in out
    assert "  http://127.0.0.1:8093/\n" in out
    assert "to let a device in: stagebridge qr --port 8093\n" in out
    assert "▄" not in out, "a code is for terminals"
    assert machine.property("ActiveState") == "active"
    assert machine.property("StatusText") == "0 clients"
    pid = machine.property("MainPID")
    user = machine.run("stat", "-c", "%U %G", f"/proc/{pid}")[1]
    assert user == "stagebridge stagebridge\n"
    at = "/run/stagebridge/8093.sock"
    assert machine.run("stat", "-c", "%a %U %G", "/run/stagebridge", at)[1] == (
        "750 stagebridge stagebridge\n660 stagebridge stagebridge\n"
    )
    group = machine.run("getent", "group", "stagebridge")[1].split(":")[2]
    assert machine.run("grep", "-c", "^stagebridge:", "/etc/group")[1] == "1\n", "people can join it"
    code, out, err = machine.user("get", "/a", "--port", "8093", groups=group)
    assert (code, out, err) == (0, "0\n", "")
    code, out, err = machine.user("qr", "--port", "8093", groups=group)
    assert (code, "▄" in out, err) == (0, True, "")
    code, out, err = machine.user("get", "/a", "--port", "8093", groups="54321")
    assert (code, out) == (1, "")
    assert err == (
        f"stagebridge: you may not open {at}: join its group: sudo usermod -aG stagebridge $USER, and log in anew\n"
    )

    # https: root makes the certificate, and the service's own user reads it.
    code, out, err = machine.run(PYTHON, "-P", "-m", "bridge", "cert", "--system")
    assert (code, err) == (0, "")
    assert "certificate: /var/lib/stagebridge/tls/server.pem, until " in out
    kept = "/var/lib/stagebridge/tls"
    names = ("authority.key", "authority.pem", "server.pem")
    modes = machine.run("stat", "-c", "%a %U %G", *(f"{kept}/{name}" for name in names))[1].splitlines()
    assert [modes[0], modes[2]] == ["600 stagebridge stagebridge"] * 2
    deadline = time.monotonic() + SOON_S
    while "online" not in (said := machine.user("get", "/stagebridge/https", "--port", "8093", groups=group)[1]):
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
    assert said.startswith("online: TCP 8094")

    machine.write(FILE, "rang = 1\n")
    machine.run("kill", "-KILL", pid)
    deadline = time.monotonic() + SOON_S
    while "the last good copy" not in machine.property("StatusText") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert machine.property("StatusText").startswith("the configuration has mistakes: the last good copy, of ")
    assert machine.property("NRestarts") == "1"
    said = machine.run("journalctl", "-u", "stagebridge", "-p", "err", "-o", "cat", "--no-pager")[1]
    assert f"{FILE}:1: rang = 1: unknown key\n" in said

    assert machine.service("uninstall", "--system") == (
        0, "/etc/systemd/system/stagebridge.service is gone, and the service is stopped\n", "",
    )  # fmt: skip
    assert machine.property("ActiveState") == "inactive"
    assert machine.run("test", "-e", f"/proc/{pid}")[0] == 1
