"""The text of a systemd unit for stagebridge: systemd.service(5), systemd.exec(5). Pure. Where it goes: ``service``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

NAME = "stagebridge.service"
MARK = (
    "# Written by `stagebridge service install`, which writes it anew; changes of your own: systemctl edit stagebridge"
)

_SERVICE = """\
[Service]
Type=notify
{exec}
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec=5
Restart=on-failure
RestartSec=1
TimeoutStopSec=10
# A socket for each browser; the sandbox does not let us raise it ourselves.
LimitNOFILE=8192
"""

# What MIDI needs is not locked: realtime for JACK's threads, devices, the user's own sockets.
_USER = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
UMask=0077
"""

_SYSTEM = """\
User=stagebridge
DynamicUser=yes
StateDirectory=stagebridge
StateDirectoryMode=0700
# The command line's socket stands there, for the group.
RuntimeDirectory=stagebridge
RuntimeDirectoryMode=0750
UMask=0077
{capabilities}
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
# MIDI: the sequencer is there before any device is, so one that is plugged in later is reached too.
DevicePolicy=closed
DeviceAllow=/dev/snd/seq rw
DeviceAllow=char-alsa rw
"""


def user_unit(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """A unit of the user's own manager: it sees what the user sees. ``command`` begins with an absolute path."""
    unit = _head("pipewire.service jack.service") + _service(command)
    unit += "".join(f"Environment={quoted(f'{name}={value}')}\n" for name, value in environment.items())
    return f"{unit}{_USER}\n[Install]\nWantedBy=default.target\n"


def system_unit(command: Sequence[str], groups: Sequence[str], has_low_port: bool) -> str:
    """A unit of the machine with a user of its own, shut off from all but the network, MIDI and its state folder."""
    capability = "CAP_NET_BIND_SERVICE" if has_low_port else ""
    unit = _head("network.target sound.target") + _service(command)
    unit += "".join(f"SupplementaryGroups={group}\n" for group in groups)
    locks = _SYSTEM.format(capabilities=f"CapabilityBoundingSet={capability}\nAmbientCapabilities={capability}")
    return f"{unit}{locks}\n[Install]\nWantedBy=multi-user.target\n"


def quoted(word: str) -> str:
    """A word of a line as systemd reads it: systemd.syntax(7), "Quoting"; ``%`` would be a specifier."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    text = "".join(char if char.isprintable() else "".join(f"\\x{byte:02x}" for byte in char.encode()) for char in text)
    return f'"{text}"'


def _head(after: str) -> str:
    # It never gives up: StartLimitIntervalSec=0.
    return (
        f"{MARK}\n[Unit]\nDescription=stagebridge: one live state for every screen and program on stage\n"
        f"After={after}\nStartLimitIntervalSec=0\n\n"
    )


def _service(command: Sequence[str]) -> str:
    # ":": no $VARIABLE is put in for what stands in a path.
    return _SERVICE.format(exec=f"ExecStart=:{' '.join(map(quoted, command))}")
