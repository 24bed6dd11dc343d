"""``stagebridge service``: put the unit where systemd finds it, start it, and take it away again.

Here: where it goes, what it runs, whether it can read that, systemd's commands. The unit's text is ``serviceunit``'s.
Blocks; reads the disk and the accounts of this machine.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .config.settings import Config
from .errors import ServiceError
from .serviceunit import MARK, NAME, system_unit, user_unit
from .statefolder import write_whole

SYSTEM_CONFIG = Path("/etc/stagebridge/config.toml")
"""What a service of the machine runs where no file is named."""
SYSTEM_UNITS = Path("/etc/systemd/system")
BOOTED = Path("/run/systemd/system")
LINGER = Path("/var/lib/systemd/linger")
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""What ProtectHome=yes and PrivateTmp=yes hide: systemd.exec(5)."""
KEPT = ("XDG_STATE_HOME", "JACK_DEFAULT_SERVER", "JACK_PROMISCUOUS_SERVER", "LD_LIBRARY_PATH")
"""Variables that the service of a user gets as they are here: where the state is, and which JACK (pw-jack)."""
AUDIO = "audio"
GOES_ON = "it is tried again every second; to end that: stagebridge service uninstall"
COMMAND_S = 60.0
MANAGER_S = 10.0
FIRST_FREE_PORT = 1024
ACCOUNT = 'u stagebridge - "stagebridge" /'
"""sysusers.d(5): the user and the group of a service of the machine. They stay, so that people can join the group;
DynamicUser= takes them where they are there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A service to be installed. ``troubles`` are what would keep it from starting, ``notes`` what it will lack."""

    is_system: bool
    unit: Path
    text: str
    troubles: tuple[str, ...]
    notes: tuple[str, ...]


def plan(settings: Config, is_system: bool, environ: Mapping[str, str]) -> Plan:
    """The service that runs this configuration, which has a file."""
    assert settings.file is not None
    # -P: a folder "bridge" where it starts is not this program.
    command = [sys.executable, "-P", "-m", __package__, "run", "--last-good", str(settings.file)]
    if not is_system:
        kept = {name: environ[name] for name in KEPT if environ.get(name)}
        notes = tuple(_no_midi_at_boot(settings))
        return Plan(False, unit_path(False, environ), user_unit(command, kept), (), notes)
    groups = [AUDIO] if _group(AUDIO) is not None else []
    text = system_unit(command, groups, settings.http.port < FIRST_FREE_PORT)
    return Plan(True, unit_path(True, environ), text, tuple(_unreadable(settings)), ())


def unit_path(is_system: bool, environ: Mapping[str, str]) -> Path:
    """Where the unit stands."""
    if is_system:
        return SYSTEM_UNITS / NAME
    base = Path(environ.get("XDG_CONFIG_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".config") / "systemd" / "user" / NAME


def install(service: Plan, environ: Mapping[str, str]) -> str:
    """Write the unit, start it now and at every boot, and return when it is ready. Why it will not be there after a
    power cut; "" where it will. Raises ServiceError."""
    check_machine(service.is_system, environ)
    if service.troubles:
        raise ServiceError("\nstagebridge: ".join(service.troubles))
    _check_ours(service.unit)
    if service.is_system:
        _make_account(environ)
    # First: it also starts the manager of a user who is nowhere logged in.
    trouble = "" if service.is_system else _linger(environ)
    try:
        write_whole(service.unit, service.text)
        service.unit.chmod(0o644)
    except OSError as exc:
        raise ServiceError(f"{service.unit} cannot be written: {exc.strerror or exc}") from exc
    for step in (["daemon-reload"], ["enable", "--quiet", NAME], ["restart", NAME]):
        answer = _run([*_systemctl(service.is_system), *step], environ)
        if answer.returncode:
            said = answer.stderr.strip() or f"exit code {answer.returncode}"
            last = _last_words(service.is_system, environ)
            raise ServiceError("\n".join(filter(None, [f"systemctl {step[0]}: {said}", last, GOES_ON])))
    if not trouble and _run([*_systemctl(service.is_system), "is-enabled", "--quiet", NAME], environ).returncode:
        trouble = f"{NAME} is not enabled"
    return trouble


def uninstall(is_system: bool, environ: Mapping[str, str]) -> Path:
    """Stop the service and take its unit away; where that was. The configuration and the state stay. Raises
    ServiceError."""
    unit = unit_path(is_system, environ)
    check_machine(is_system, environ)
    if not unit.exists():
        other = "without" if is_system else "with"
        hint = f" (one is there {other} --system)" if unit_path(not is_system, environ).exists() else ""
        raise ServiceError(f"there is no {unit} to take away{hint}")
    _check_ours(unit)
    _run([*_systemctl(is_system), "disable", "--now", "--quiet", NAME], environ)
    try:
        unit.unlink()
    except OSError as exc:
        raise ServiceError(f"{unit} cannot be taken away: {exc.strerror or exc}") from exc
    _run([*_systemctl(is_system), "daemon-reload"], environ)
    return unit


def check_machine(is_system: bool, environ: Mapping[str, str]) -> None:
    """Raises ServiceError where this machine, or who asks, cannot have such a service."""
    if not BOOTED.is_dir():  # sd_booted(3)
        what = {"darwin": "macOS starts services by launchd", "win32": "Windows starts it by its Task Scheduler"}
        why = what.get(sys.platform, f"systemd does not run this machine (there is no {BOOTED})")
        raise ServiceError(f"{why}: how it starts at boot there is in docs/service.md")
    is_root = os.geteuid() == 0
    if is_system and not is_root:
        own = [sys.argv[0]] if Path(sys.argv[0]).name == "stagebridge" else [sys.executable, "-m", "bridge"]
        raise ServiceError(f"--system needs root: sudo {shlex.join([*own, *sys.argv[1:]])}")
    if not is_system and is_root and environ.get("SUDO_USER"):
        user = environ["SUDO_USER"]
        raise ServiceError(f"this would be root's service: run it as {user}, without sudo; or add --system")


def commands(is_system: bool) -> tuple[str, str]:
    """What shows how the service is, and what shows its log."""
    user = "" if is_system else "--user "
    return f"systemctl {user}status stagebridge", f"journalctl {user}-u stagebridge -f"


def why_hidden(path: Path) -> str:
    """Why the user of such a service cannot read this; "" where it can."""
    for at in dict.fromkeys((path.absolute(), path.resolve())):
        hidden = next((folder for folder in HIDDEN if at.is_relative_to(folder)), None)
        if hidden is not None:
            return f"{at} is in {hidden}, which is hidden from services of the system"
        for step in (*reversed(at.parents), at):
            try:
                mode = step.stat().st_mode
            except OSError:
                return f"{step} is not there"
            wanted = stat.S_IROTH | stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH
            if step != at:
                wanted = stat.S_IXOTH
            if mode & wanted != wanted:
                return (
                    f"{step} may not be read by others (chmod o+{'rX' if step == at else 'x'} {shlex.quote(str(step))})"
                )
    return ""


def _unreadable(settings: Config) -> Iterator[str]:
    """What a service of the machine needs and cannot read, and what to do."""
    file = settings.file
    assert file is not None
    package = Path(__file__).resolve().parent
    for path in (Path(sys.executable), Path(sys.base_prefix), package):
        if why := why_hidden(path):
            source = package.parent if (package.parent / "pyproject.toml").exists() else "stagebridge"
            yield (
                f"a service of the system cannot read this installation: {why}. Install it for the machine:\n"
                f"  sudo python3 -m venv /opt/stagebridge && sudo /opt/stagebridge/bin/pip install '{source}[midi]'\n"
                f"  sudo /opt/stagebridge/bin/stagebridge service install --system {shlex.quote(str(file))}\n"
                "or leave --system out: the service of a user starts at boot, too"
            )
            break
    profiles = file.parent / "profiles"
    for read in (file, settings.http.pages, profiles if profiles.is_dir() else None):
        if read is not None and (why := why_hidden(read)):
            yield (
                f"a service of the system cannot read {read}: {why}. Put the configuration and what stands beside it "
                f"into {SYSTEM_CONFIG.parent}, or leave --system out: the service of a user starts at boot, too"
            )


def _no_midi_at_boot(settings: Config) -> Iterator[str]:
    """MIDI belongs to whoever sits at the machine, and to the group: after a power cut nobody is logged in."""
    group = _group(AUDIO)
    if group is None or not any(peer.table == "midi" for peer in settings.peers):
        return
    import pwd

    user = pwd.getpwuid(os.getuid())
    if user.pw_uid != 0 and group not in os.getgrouplist(user.pw_name, user.pw_gid):
        yield (
            f"{user.pw_name} is not in the group {AUDIO}, so MIDI is reached only while somebody is logged in here: "
            f"sudo usermod -aG {AUDIO} {user.pw_name}, and log in anew"
        )


def _group(name: str) -> int | None:
    try:
        import grp

        return grp.getgrnam(name).gr_gid
    except (ImportError, KeyError):
        return None


def _linger(environ: Mapping[str, str]) -> str:
    """Let the user's manager start at boot. Why it does not; "" where it does."""
    import pwd

    user = pwd.getpwuid(os.getuid()).pw_name
    if (LINGER / user).exists():
        return ""
    answer = _run(["loginctl", "enable-linger", user], environ)
    if answer.returncode == 0:
        manager = Path(f"/run/user/{os.getuid()}/systemd/private")  # it starts now, if it does not run already
        deadline = time.monotonic() + MANAGER_S
        while not manager.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        return ""
    return f"{answer.stderr.strip() or 'loginctl refuses'}: to allow it: sudo loginctl enable-linger {user}"


def _make_account(environ: Mapping[str, str]) -> None:
    """Make the user and the group of a service of the machine, if they are not there. Raises ServiceError."""
    answer = _run(["systemd-sysusers", "--inline", ACCOUNT], environ)
    if answer.returncode:
        raise ServiceError(f"systemd-sysusers: {answer.stderr.strip() or f'exit code {answer.returncode}'}")


def _check_ours(unit: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if MARK not in unit.read_text(encoding="utf-8", errors="replace"):
            raise ServiceError(f"{unit} is not ours and is left as it is: take it away first")


def _systemctl(is_system: bool) -> list[str]:
    return ["systemctl", "--no-ask-password", "--system" if is_system else "--user"]


def _run(command: list[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Raises ServiceError where the command is not there, or does not end."""
    environment = dict(environ)
    if "XDG_RUNTIME_DIR" not in environment:  # after su and the like
        environment["XDG_RUNTIME_DIR"] = f"/run/user/{os.getuid()}"
    try:
        return subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=COMMAND_S, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise ServiceError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise ServiceError(f"{shlex.join(command)} has not ended within {COMMAND_S:g} s") from None


def _last_words(is_system: bool, environ: Mapping[str, str]) -> str:
    """What the service has said last."""
    where = "--system" if is_system else "--user"
    with contextlib.suppress(ServiceError):
        command = ["journalctl", where, "--quiet", "--no-pager", "--output=cat", "--lines=8", f"--unit={NAME}"]
        return _run(command, environ).stdout.strip()
    return ""
