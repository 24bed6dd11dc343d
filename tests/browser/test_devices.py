"""The page's "Devices" in real Chromium: an admin lets one more in, sees it come, and cuts it off."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import segno
from playwright.async_api import Page, expect

from bridge.remote import Daemon as Here
from bridge.remote import request
from tests.daemon import Daemon

CONFIG = """
[auth]
mode = "token"

[[control]]
path = "/main"
pages = ["Mixer"]
[[control]]
path = "/light"
pages = ["Light"]

[[access]]
name = "Anna"
role = "view"
pages = ["Light"]
"""
OpenPage = Callable[..., Awaitable[Page]]


async def test_an_admin_lets_a_device_in_sees_it_come_and_cuts_it_off(
    tmp_path: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Daemon.start(CONFIG, tmp_path) as daemon:
        monkeypatch.setenv("XDG_STATE_HOME", daemon.home["XDG_STATE_HOME"])
        code = await asyncio.to_thread(request, Here(daemon.http_port), "POST", "/api/codes", {"role": "admin"})
        admin = await open_page(code["url"], viewport={"width": 1024, "height": 670})
        await expect(admin.locator('sb-fader[path="/main"]')).to_be_visible()
        await admin.locator(".badge").click()
        await admin.get_by_role("button", name="Devices").click()
        rows = admin.locator(".device")
        await expect(rows).to_have_count(1)
        await expect(rows).to_contain_text("admin, connected")

        await admin.get_by_role("button", name="Add device").click()
        sheet = admin.get_by_role("dialog")
        await sheet.get_by_label("It opens").select_option("Light")
        await sheet.get_by_role("button", name="Anna").click()
        await sheet.get_by_role("button", name="Show the code").click()
        digits = (await sheet.locator(".digits").inner_text()).replace(" ", "")
        assert re.fullmatch(r"\d{6}", digits)
        await expect(sheet).to_contain_text(re.compile(r"For one device: view \(Anna\)\. Good for (10:00|9:5\d)\."))
        link = f"{daemon.url}pair?to=%2F%23%2FLight#code={digits}"
        picture = sheet.get_by_role("img", name="QR code")
        drawn = segno.make(link, error="l", micro=False)
        assert await picture.get_attribute("src") == drawn.svg_data_uri(
            border=4, dark="#000", light="#fff", omitsize=True
        )
        assert await picture.evaluate("img => img.complete && img.naturalWidth > 0 && img.clientWidth >= 240")

        tablet = await open_page(link, viewport={"width": 744, "height": 1030})
        await expect(tablet.locator('[path="/light"]')).to_be_visible()
        await expect(sheet).to_contain_text(re.compile("✓ .+ is in."))
        await expect(sheet).to_contain_text("It is used.")
        await expect(sheet.get_by_role("button", name="New code")).to_be_visible()
        await sheet.get_by_role("button", name="Back").click()
        await expect(rows).to_have_count(2)
        for one in await sheet.get_by_role("button").all():
            box = await one.bounding_box()
            assert box is not None
            assert min(box["width"] / 72, box["height"] / 56) >= 1

        theirs = rows.filter(has_text="view (Anna), connected")
        await theirs.get_by_role("button", name=re.compile("Revoke")).click()
        await sheet.get_by_role("button", name="Keep").click()
        await expect(rows.filter(has_text="view (Anna), connected")).to_have_count(1)
        await theirs.get_by_role("button", name=re.compile("Revoke")).click()
        await sheet.get_by_role("button", name="Cut it off").click()
        await expect(rows).to_have_count(1)
        await expect(tablet).to_have_url(re.compile(r"/pair\?why=revoked"))


async def test_only_who_comes_by_the_code_is_said_to_be_in(
    tmp_path: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Daemon.start(CONFIG, tmp_path) as daemon:
        monkeypatch.setenv("XDG_STATE_HOME", daemon.home["XDG_STATE_HOME"])

        async def let_in(name: str, role: str) -> None:
            body = {"name": name, "role": role}
            await asyncio.to_thread(request, Here(daemon.http_port), "POST", "/api/devices", body)

        code = await asyncio.to_thread(request, Here(daemon.http_port), "POST", "/api/codes", {"role": "admin"})
        admin = await open_page(code["url"], viewport={"width": 1024, "height": 670})
        await admin.locator(".badge").click()
        await admin.get_by_role("button", name="Devices").click()
        await expect(admin.locator(".device")).to_have_count(1)
        await admin.get_by_role("button", name="Add device").click()
        await let_in("Earlier", "control")
        sheet = admin.get_by_role("dialog")
        await sheet.get_by_role("button", name="Show the code").click()
        await let_in("Watcher", "view")
        digits = await sheet.locator(".digits").inner_text()
        looks = [
            await admin.wait_for_event("response", lambda answer: answer.url.endswith("/api/devices")) for _ in "12"
        ]
        assert len((await looks[-1].json())["devices"]) == 3
        await expect(sheet).not_to_contain_text("in.")
        await expect(sheet).to_contain_text("Good for")
        await open_page(f"{daemon.url}pair#code={digits.replace(' ', '')}")
        await expect(sheet).to_contain_text(re.compile(r"✓ (?!Earlier|Watcher)[^,]+ is in\."))
        await expect(sheet).to_contain_text("It is used.")
