"""Pairing over HTTP: who a request is from, the cookie, ``/api/pair``, ``/api/codes``, ``/api/devices``.

The cookie has no ``Secure``: one that was given over https would then be missing over http, which is offered beside it,
and could not be replaced from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import quote

from aiohttp import web

from bridge.access import EVERYTHING, Grant
from bridge.codes import CODE_S, DIGITS
from bridge.devices import Device
from bridge.errors import PairingError
from bridge.pairing import Pairing

from .answers import Refused, bad_request, json_answer, json_body
from .guard import check_admin, grant_of

COOKIE_S = 365 * 86400
LONGEST_WORD = 1000  # characters of what a request may name

_STATUS = {"too_many": 429, "wrong_code": 403, "used_code": 403, "expired_code": 403}


class PairRoutes:
    """The requests about who may come in; ``grant`` and ``prolong`` are the guard's.

    ``urls()``: addresses to open, the best one for a tablet first; may block. ``pages()``: the surface's, by name.
    ``connected()``: the device of each session that runs.
    """

    def __init__(
        self,
        pairing: Pairing,
        urls: Callable[[], list[str]],
        pages: Callable[[], Collection[str]],
        connected: Callable[[], Collection[str]],
    ) -> None:
        self._pairing = pairing
        self._urls, self._pages, self._connected = urls, pages, connected

    def routes(self) -> list[web.RouteDef]:
        """For ``Application.add_routes``."""
        return [
            web.get("/api/pair", self._who),
            web.post("/api/pair", self._pair),
            web.patch("/api/pair", self._rename_own),
            web.post("/api/codes", self._code),
            web.get("/api/devices", self._all),
            web.post("/api/devices", self._add),
            web.patch("/api/devices/{id}", self._change),
            web.delete("/api/devices/{id}", self._revoke),
        ]

    # For the guard

    def grant(self, request: web.Request) -> Grant | None:
        """What whoever asks may do, by its header or its cookie; None where it was not let in."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = request.cookies.get(self._pairing.cookie, "")
        grant = self._pairing.grant_of_token(token.strip())
        return EVERYTHING if grant is None and self._pairing.mode == "open" else grant

    def prolong(self, request: web.Request, response: web.StreamResponse) -> None:
        """A page is answered: the cookie that it was asked for with is good for another year."""
        token = request.cookies.get(self._pairing.cookie)
        if token and self._pairing.mode == "token" and "Authorization" not in request.headers:
            self._set_cookie(response, token)

    def _set_cookie(self, response: web.StreamResponse, token: str) -> None:
        name = self._pairing.cookie
        response.set_cookie(name, token, max_age=COOKIE_S, path="/", httponly=True, samesite="Lax")

    def _device(self, request: web.Request) -> Device | None:
        return self._pairing.devices.find(request.cookies.get(self._pairing.cookie, ""))

    # A device about itself

    async def _who(self, request: web.Request) -> web.StreamResponse:
        """Public: whether whoever asks is in."""
        grant, device = self.grant(request), self._device(request)
        about: dict[str, Any] = {"mode": self._pairing.mode, "paired": grant is not None}
        if grant is not None:
            about |= {"role": grant.role, "access": grant.access, "device": grant.device}
            about["name"] = device.name if device is not None and device.id == grant.device else ""
        return json_answer(about)

    async def _pair(self, request: web.Request) -> web.StreamResponse:
        """Public: let a device in by a code."""
        body = await json_body(request)
        digits = _word(body, "code").replace(" ", "").replace("-", "")
        if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
            raise bad_request("bad_message", f"a code is {DIGITS} digits")
        try:
            device, token = self._pairing.redeem(
                digits, request.remote or "", _word(body, "name"), self._device(request)
            )
        except PairingError as exc:
            refused = _refused(exc)
            if exc.code == "too_many":
                refused.headers["Retry-After"] = "60"
            raise refused from exc
        await self._pairing.written()
        grant = self._pairing.worth(device)
        answer = json_answer({
            "device": device.id, "name": device.name,
            "role": grant.role if grant is not None else "", "access": device.access,
        })  # fmt: skip
        if token is not None:
            self._set_cookie(answer, token)
        return answer

    async def _rename_own(self, request: web.Request) -> web.StreamResponse:
        device = self._device(request)
        if device is None:
            raise Refused(404, "unknown_device", "no device has this cookie")
        self._pairing.rename(device, _word(await json_body(request), "name"))
        return json_answer({"device": device.id, "name": device.name})

    # An admin about others

    async def _code(self, request: web.Request) -> web.StreamResponse:
        check_admin(request)
        body = await json_body(request)
        grant = self._wanted(body)
        page = _word(body, "page")
        if page and page not in self._pages():
            raise bad_request("bad_value", f"there is no page {page}: there are {', '.join(self._pages())}")
        code = self._pairing.code(grant, grant_of(request)).digits if self._pairing.mode == "token" else None
        urls = [link(url, code, page) for url in await asyncio.to_thread(self._urls)]
        answer = {
            "code": code, "url": urls[0], "urls": urls, "role": grant.role, "access": grant.access,
            "expires_s": round(CODE_S),
        }  # fmt: skip
        if body.get("qr") is True:
            answer["qr"] = await asyncio.to_thread(lambda: [_picture(url) for url in urls])
        return json_answer(answer)

    async def _all(self, request: web.Request) -> web.StreamResponse:
        check_admin(request)
        return json_answer({
            "devices": [self._told(device) for device in self._pairing.devices], "kept": self._pairing.trouble,
            "access": self._pairing.entries(), "mode": self._pairing.mode,
        })  # fmt: skip

    async def _add(self, request: web.Request) -> web.StreamResponse:
        check_admin(request)
        body = await json_body(request)
        device, token = self._pairing.add(_word(body, "name"), self._wanted(body))
        await self._pairing.written()
        return json_answer({"device": self._told(device), "token": token})

    async def _change(self, request: web.Request) -> web.StreamResponse:
        check_admin(request)
        device = self._find(request)
        body = await json_body(request)
        if "role" in body or "access" in body:
            self._pairing.regrant(device, self._wanted(body))
        if "name" in body:
            self._pairing.rename(device, _word(body, "name"))
        await self._pairing.written()
        return json_answer({"device": self._told(device)})

    async def _revoke(self, request: web.Request) -> web.StreamResponse:
        check_admin(request)
        device = self._find(request)
        told = self._told(device)
        self._pairing.revoke(device.id)
        await self._pairing.written()
        return json_answer({"device": told})

    def _find(self, request: web.Request) -> Device:
        device = self._pairing.devices.get(request.match_info["id"])
        if device is None:
            raise Refused(404, "unknown_device", "there is no such device")
        return device

    def _wanted(self, body: dict[str, Any]) -> Grant:
        try:
            return self._pairing.wanted(_word(body, "role") or "control", _word(body, "access"))
        except PairingError as exc:
            raise _refused(exc) from exc

    def _told(self, device: Device) -> dict[str, Any]:
        grant = self._pairing.worth(device)
        return {
            "id": device.id,
            "name": device.name,
            "role": grant.role if grant is not None else "",
            "access": device.access,
            "made": round(device.made),
            "seen": round(device.seen),
            "connected": list(self._connected()).count(device.id),
        }


def link(url: str, code: str | None, page: str = "") -> str:
    """What a device opens to come in, and then see this page. The code stands where no server and no log sees it."""
    target = f"#/{quote(page, safe='')}" if page else ""
    if code is None:
        return url + target
    to = f"?to={quote('/' + target, safe='')}" if target else ""
    return f"{url}pair{to}#code={code}"


def _picture(url: str) -> str:
    """Its QR code as the address of an image (SVG), black on white with its quiet zone, of any size."""
    import segno

    return segno.make(url, error="l", micro=False).svg_data_uri(border=4, dark="#000", light="#fff", omitsize=True)


def _refused(exc: PairingError) -> Refused:
    return Refused(_STATUS.get(exc.code, 400), exc.code, exc.message)


def _word(body: dict[str, Any], name: str) -> str:
    word = body.get(name) or ""
    if not isinstance(word, str) or len(word) > LONGEST_WORD:
        raise bad_request("bad_message", f"{name} is a text")
    return word
