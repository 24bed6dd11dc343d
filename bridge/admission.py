"""Who may come in, and as what, as the configuration has it now: devices, ``[[access]]`` and tickets in one place.

Not here: what each of them is (``pairing``, ``view``, ``tickets``), and HTTP (``http.pairing``, ``http.guard``).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from . import resources
from .access import EVERYTHING, Grant, Role, is_file
from .config.settings import Config
from .pages import paths_of
from .pairing import Pairing
from .tickets import Tickets
from .ws import Hub

log = logging.getLogger(__name__)


class Admission:
    """Of one hub, whose sessions have what is decided here. ``state`` is the folder for what outlives a run."""

    def __init__(self, hub: Hub, config: Config, state: Path | None, clock: Callable[[], float]) -> None:
        self._hub = hub
        self._config = config
        self.pairing = Pairing(
            state,
            config.auth.mode,
            roles=self._roles,
            revoked=hub.revoke,
            changed=self._regranted,
            connected=hub.devices,
            fallback=f"port-{config.http.port}",
            clock=clock,
        )
        """Which devices were let in, and the codes that let more in."""
        self._tickets = Tickets(self.pairing.ticket_key, self._grant_of)
        hub.shared.admit = lambda token: self.admit_page(token) or self.pairing.grant_of_token(token)
        hub.shared.auth = config.auth.mode

    def admit_page(self, ticket: str) -> Grant | None:
        """What one of people's own pages may do that shows this; None where it is no ticket of ours."""
        return self._tickets.admit(ticket, time.time())

    def ticket(self, grant: Grant | None) -> str | None:
        """For one of people's own pages that who has this opens; None where they are trusted like ours."""
        if self._config.http.trust_pages:
            return None
        self.pairing.ticket_key(is_to_last=True)
        return self._tickets.make("" if grant is None else grant.device, time.time())

    async def follow(self, old: Config, new: Config) -> Iterable[str]:
        """Take ``[auth]`` and ``[[access]]`` from the new configuration."""
        self._config = new
        if old.auth != new.auth:
            self.pairing.mode = self._hub.shared.auth = new.auth.mode
            if new.auth.mode == "open":
                meanwhile = "; [[access]] limits nobody meanwhile" if new.access else ""
                log.warning('auth mode "open": whoever reaches this port can move every control now%s', meanwhile)
            self._hub.regrant(self.pairing.grant_again)
        if old.http.trust_pages != new.http.trust_pages:
            self.say_trust()
        if (old.access, old.http.pages) != (new.access, new.http.pages):
            await self.limit()
        return ()

    def say_trust(self) -> None:
        """Say it out loud where people's own pages run without a sandbox."""
        if self._config.http.trust_pages:
            log.warning(
                "[http] trust_pages: pages of %s may do all that the device may that has them open; every line of "
                "them, and of what they load, is trusted like stagebridge itself",
                resources.pages_dir(self._config.http.pages),
            )

    async def page_edited(self, page: str) -> None:
        """One of people's own pages shows other controls, perhaps."""
        if any((page or "index.html") in (access.pages or ()) for access in self._config.access.values()):
            await self.limit()

    async def limit(self) -> None:
        """Show devices that are limited to pages what stands on these now."""
        access, folder = self._config.access, self._config.http.pages
        files = [name for one in access.values() for name in one.pages or () if is_file(name)]
        paths = await asyncio.to_thread(lambda: paths_of(resources.pages_dir(folder), files))
        self._hub.shared.views.configure(access, paths)
        self._hub.regrant(self._by_now)

    def _roles(self) -> Mapping[str, Role]:
        return {name: access.role for name, access in self._config.access.items()}

    def _by_now(self, grant: Grant) -> Grant | None:
        """What whoever was granted this may do now: by its ``[[access]]`` entry, where there is one still."""
        if not grant.access:
            return grant
        access = self._config.access.get(grant.access)
        return None if access is None else replace(grant, role=access.role)

    def _grant_of(self, device: str) -> Grant | None:
        """What a device may do now; "": where nobody is told apart."""
        if self.pairing.mode == "open":
            return EVERYTHING
        known = self.pairing.devices.get(device)
        return None if known is None else self.pairing.grant_of(known)

    def _regranted(self, device: str, grant: Grant) -> None:
        self._hub.regrant(lambda before: grant if before.device == device else before)
