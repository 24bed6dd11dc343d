"""Draw web/icons/*.png from web/icons/icon.svg in Chromium: `.venv/bin/python scripts/icons.py`."""

from pathlib import Path

from playwright.sync_api import sync_playwright

ICONS = Path(__file__).resolve().parent.parent / "web" / "icons"
SIZES = {"icon-192.png": 192, "icon-512.png": 512, "icon-maskable-512.png": 512, "apple-touch-icon.png": 180}


def main() -> None:
    source = (ICONS / "icon.svg").read_text(encoding="utf-8")
    square = source.replace(' rx="112"', "")  # iOS and masks round the corners themselves
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for name, size in SIZES.items():
            is_whole = name in ("icon-192.png", "icon-512.png")
            page = browser.new_page(viewport={"width": size, "height": size})
            inset = "transform: scale(.8);" if "maskable" in name else ""  # the safe zone of a mask is its inner 80 %
            svg = (source if is_whole else square).replace(
                "<svg ", f'<svg width="{size}" height="{size}" style="{inset}" '
            )
            ground = "transparent" if is_whole else "#0b0d10"
            page.set_content(f'<body style="margin: 0; overflow: hidden; background: {ground}">{svg}</body>')
            page.screenshot(path=ICONS / name, omit_background=is_whole)
            page.close()
            print(f"{name}: {(ICONS / name).stat().st_size} bytes")
        browser.close()


if __name__ == "__main__":
    main()
