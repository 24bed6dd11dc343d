"""Where things are on a page."""

from playwright.async_api import FloatRect, Locator

NEXT_FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


async def box_of(element: Locator) -> FloatRect:
    """An element's place, in view, once it stays there from one frame to the next: what is drawn with a value that has
    just come moves what stands beside it, and a finger would fall where it was."""
    before = None
    while True:
        await element.scroll_into_view_if_needed()
        box = await element.bounding_box()
        if box is not None and box == before:
            return box
        before = box
        await element.page.evaluate(NEXT_FRAME)


async def middle_of(element: Locator) -> tuple[float, float]:
    """Where to put a finger on it."""
    box = await box_of(element)
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
