"""The units that `stagebridge service install` writes, as systemd itself reads them; and what is said without it."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from bridge import app, cli, service
from bridge.config.loading import load
from bridge.config.settings import Config
from bridge.errors import ServiceError
from bridge.serviceunit import MARK, quoted, system_unit, user_unit
from tests.peers import require_tool

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux")

COMMAND = [sys.executable, "-P", "-m", "bridge", "run", "--last-good", '/etc/a b/100% $HOME "x" \\ é.toml']


def settings(file: Path, text: str = "") -> Config:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return load(file, app.KINDS)


@pytest.mark.parametrize("scope", ["user", "system", "low port"])
def test_systemd_finds_nothing_wrong_in_a_unit(tmp_path: Path, scope: str) -> None:
    analyze = require_tool("systemd-analyze", package="systemd")
    is_user = scope == "user"
    text = (
        user_unit(COMMAND, {"XDG_STATE_HOME": "/a b/100%"}) if is_user else system_unit(COMMAND, [], scope != "system")
    )
    unit = tmp_path / "stagebridge.service"
    unit.write_text(text)
    verify = [analyze, "verify", *(["--user"] if is_user else []), unit]
    answer = subprocess.run(
        verify, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    if not is_user:
        security = [analyze, "security", "--offline=true", "--threshold=30", "--no-pager", unit]
        subprocess.run(security, capture_output=True, check=True)


def test_a_unit_says_what_a_show_needs(tmp_path: Path) -> None:
    is_anybodys = {
        "Type=notify", "WatchdogSec=5", "Restart=on-failure", "RestartSec=1", "StartLimitIntervalSec=0",
        "NoNewPrivileges=yes",
    }  # fmt: skip
    user, system = user_unit(COMMAND, {}).splitlines(), system_unit(COMMAND, ["audio"], True).splitlines()
    assert is_anybodys <= set(user) & set(system)
    assert "WantedBy=default.target" in user
    assert not [line for line in user if line.startswith(("Protect", "Private", "Device", "RestrictRealtime"))]
    assert {
        "DynamicUser=yes", "StateDirectory=stagebridge", "RuntimeDirectory=stagebridge",
        "RuntimeDirectoryMode=0750", "ProtectSystem=strict", "DeviceAllow=/dev/snd/seq rw",
        "SupplementaryGroups=audio", "AmbientCapabilities=CAP_NET_BIND_SERVICE", "WantedBy=multi-user.target",
    } <= set(system)  # fmt: skip
    assert "AmbientCapabilities=" in system_unit(COMMAND, [], False).splitlines()


def test_words_are_written_as_systemd_reads_them() -> None:
    assert quoted('a b "c" \\ 100% $x é\n') == '"a b \\"c\\" \\\\ 100%% $x é\\x0a"'


def test_a_user_s_service_keeps_where_its_state_and_its_jack_are(tmp_path: Path) -> None:
    file = tmp_path / "my show.toml"
    environ = {"XDG_STATE_HOME": "/x/state", "JACK_DEFAULT_SERVER": "stage", "EDITOR": "vi", "XDG_CONFIG_HOME": "/x/c"}
    plan = service.plan(settings(file), False, environ)
    assert plan.unit == Path("/x/c/systemd/user/stagebridge.service")
    assert f'ExecStart=:"{sys.executable}" "-P" "-m" "bridge" "run" "--last-good" "{file}"\n' in plan.text
    assert 'Environment="XDG_STATE_HOME=/x/state"\nEnvironment="JACK_DEFAULT_SERVER=stage"\n' in plan.text
    assert "EDITOR" not in plan.text
    assert plan.troubles == ()


def test_what_a_hardened_service_cannot_read_is_said_with_a_way_out(tmp_path: Path) -> None:
    plan = service.plan(settings(tmp_path / "show.toml"), True, {})
    assert any(f"{tmp_path / 'show.toml'} is in /tmp, which is hidden" in trouble for trouble in plan.troubles)
    assert all("leave --system out" in trouble for trouble in plan.troubles)
    assert service.why_hidden(Path("/home/anna/stagebridge/.venv/bin/python")).startswith("/home/anna/stagebridge/")
    assert service.why_hidden(Path("/etc")) == ""
    assert service.why_hidden(Path("/etc/no such file")) == "/etc/no such file is not there"


def test_a_file_for_its_owner_alone_is_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "HIDDEN", ())
    folder = tmp_path / "a b"
    folder.mkdir()
    for above in (folder, *folder.parents[:-2]):
        above.chmod(0o755)
    file = folder / "show.toml"
    file.write_text("")
    file.chmod(0o644)
    assert service.why_hidden(file) == ""
    file.chmod(0o640)
    assert service.why_hidden(file) == f"{file} may not be read by others (chmod o+rX '{file}')"
    folder.chmod(0o750)
    assert service.why_hidden(file) == f"{folder} may not be read by others (chmod o+x '{folder}')"


def test_a_dry_run_prints_the_unit_and_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "here"))
    (tmp_path / "config.toml").write_text("")
    assert cli.main(["service", "install", "--dry-run"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{MARK}\n[Unit]\n")
    assert f'"{tmp_path}/config.toml"' in said.out
    assert said.err == f"stagebridge: this would be {tmp_path}/here/systemd/user/stagebridge.service\n"
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no config.toml: name a file, or write one with stagebridge init"),
        ("rang = 1", "config.toml:1: rang = 1: unknown key"),
        ("[http]\nport = 0", "[http] port = 0 is another one at each start"),
    ],
)
def test_a_configuration_that_cannot_be_a_service_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if text:
        (tmp_path / "config.toml").write_text(text)
    assert cli.main(["service", "install", "--dry-run"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err


def test_where_systemd_does_not_run_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BOOTED", tmp_path / "systemd")
    for action in (lambda: service.check_machine(False, {}), lambda: service.uninstall(False, {})):
        with pytest.raises(ServiceError, match=r"systemd does not run this machine .* docs/service\.md"):
            action()


def test_a_unit_of_somebody_else_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BOOTED", tmp_path)
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    plan = service.plan(settings(tmp_path / "show.toml"), False, environ)
    with pytest.raises(ServiceError, match=r"there is no .*stagebridge\.service to take away"):
        service.uninstall(False, environ)
    plan.unit.parent.mkdir(parents=True)
    plan.unit.write_text("[Service]\n")
    for act in (lambda: service.install(plan, environ), lambda: service.uninstall(False, environ)):
        with pytest.raises(ServiceError, match="is not ours and is left as it is"):
            act()
    assert plan.unit.read_text() == "[Service]\n"


def test_a_user_who_may_not_linger_is_told_what_to_ask_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BOOTED", tmp_path)
    monkeypatch.setattr(service, "LINGER", tmp_path / "linger")
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, then in (("loginctl", "echo 'Access denied' >&2; exit 1"), ("systemctl", "exit 0")):
        (commands / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/calls\n{then}\n')
        (commands / name).chmod(0o755)
    environ = {"PATH": f"{commands}:/usr/bin:/bin", "XDG_CONFIG_HOME": str(tmp_path / "config")}
    plan = service.plan(settings(tmp_path / "show.toml"), False, environ)
    user = pwd.getpwuid(os.getuid()).pw_name
    assert service.install(plan, environ) == f"Access denied: to allow it: sudo loginctl enable-linger {user}"
    assert plan.unit.read_text() == plan.text
    assert plan.unit.stat().st_mode & 0o777 == 0o644
    assert service.uninstall(False, environ) == plan.unit
    assert not plan.unit.exists()
    assert (tmp_path / "calls").read_text().splitlines() == [
        f"loginctl enable-linger {user}",
        *(
            f"systemctl --no-ask-password --user {step}"
            for step in (
                "daemon-reload", "enable --quiet stagebridge.service", "restart stagebridge.service",
                "disable --now --quiet stagebridge.service", "daemon-reload",
            )
        ),
    ]  # fmt: skip


def test_a_service_that_is_not_enabled_is_not_there_after_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BOOTED", tmp_path)
    monkeypatch.setattr(service, "LINGER", tmp_path)
    (tmp_path / pwd.getpwuid(os.getuid()).pw_name).touch()
    (tmp_path / "systemctl").write_text('#!/bin/sh\n[ "$3" != is-enabled ]\n')
    (tmp_path / "systemctl").chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "XDG_CONFIG_HOME": str(tmp_path / "config")}
    plan = service.plan(settings(tmp_path / "show.toml"), False, environ)
    assert service.install(plan, environ) == "stagebridge.service is not enabled"


def test_a_service_that_does_not_start_says_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BOOTED", tmp_path)
    monkeypatch.setattr(service, "LINGER", tmp_path)
    (tmp_path / pwd.getpwuid(os.getuid()).pw_name).touch()
    for name, then in (
        ("systemctl", '[ "$3" != restart ] || { echo failed >&2; exit 1; }'),
        ("journalctl", "echo taken"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{then}\n")
        (tmp_path / name).chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "XDG_CONFIG_HOME": str(tmp_path / "config")}
    plan = service.plan(settings(tmp_path / "show.toml"), False, environ)
    with pytest.raises(ServiceError, match=r"^systemctl restart: failed\ntaken\nit is tried again every second"):
        service.install(plan, environ)


def test_a_service_of_root_is_not_made_by_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BOOTED", tmp_path)
    is_root = os.geteuid() == 0
    with pytest.raises(
        ServiceError, match="run it as anna, without sudo" if is_root else r"needs root: sudo .* -m bridge"
    ):
        service.check_machine(not is_root, {"SUDO_USER": "anna"})
