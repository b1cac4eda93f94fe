"""What the gate shows and what it sees: its display, and its cameras' pictures with what was found.

For supervisors: a picture shows people. What stands in a code is never told, and the gate makes the
codes in its pictures unreadable.
"""

from typing import Final
from urllib.parse import quote

from appliance.local_page.display_page import PictureSource
from appliance.local_page.figures import card
from appliance.local_page.markup import Markup, element, joined
from appliance.local_page.visits import Content, Live, Outcome, Page, Parts, Route, Visit
from appliance.page_ports import GateDesk, Glimpse, Glimpses, PageRole, SeenCode

EVERY_S: Final = 1.0


class PicturePage:
    """Display and cameras, live."""

    def __init__(self, desk: GateDesk, display: PictureSource) -> None:
        """Take both."""
        self._desk = desk
        self._display = display

    def routes(self) -> list[Route]:
        """Give its addresses."""
        return [
            Route("GET", "/gate/picture", PageRole.SUPERVISOR, self._show),
            Route("GET", "/gate/picture/live", PageRole.SUPERVISOR, self._follow),
            Route("GET", "/gate/picture/camera", PageRole.SUPERVISOR, self._camera),
        ]

    async def _show(self, visit: Visit) -> Outcome:
        parts = await self._parts(visit)
        cameras = [
            card(
                visit.words("picture.camera", name=name),
                element("div", parts[f"camera-{place}"], id=f"camera-{place}", class_="follows"),
                name=f"camera-{place}-card",
            )
            for place, name in enumerate(self._desk.cameras)
        ]
        display = card(
            visit.words("picture.display"),
            element("div", parts["display"], id="display", class_="follows"),
            name="display-card",
        )
        none = element("p", visit.words("picture.no_camera"), class_="soft")
        body = joined(
            element("p", visit.words("picture.words"), class_="lead soft"),
            element("div", display, cameras or none, class_="cards wide"),
        )
        return Page(visit.words("picture.title"), body, live="/gate/picture/live")

    async def _follow(self, visit: Visit) -> Outcome:
        async def parts() -> Parts:
            return await self._parts(visit)

        return Live(parts, EVERY_S)

    async def _camera(self, visit: Visit) -> Outcome:
        camera = self._desk.cameras.get(visit.query.get("name", ""))
        glimpse = None if camera is None else await camera.glimpse()
        if glimpse is None:
            return Content(b"", "text/plain", status=404)
        return Content(glimpse.picture, glimpse.content_type)

    async def _parts(self, visit: Visit) -> Parts:
        parts = {"display": self._shown(visit)}
        for place, (name, camera) in enumerate(self._desk.cameras.items()):
            parts[f"camera-{place}"] = await _seen(visit, name, camera)
        return parts

    def _shown(self, visit: Visit) -> Markup:
        shown = self._display
        if shown.revision == 0:
            return element("p", visit.words("display.none_yet"))
        return joined(
            element(
                "img",
                src=f"/display.png?revision={shown.revision}",
                alt=visit.words("display.picture"),
                class_="picture",
            ),
            element("p", shown.text, lang=shown.language),
        )


async def _seen(visit: Visit, name: str, camera: Glimpses) -> Markup:
    glimpse = await camera.glimpse()
    if glimpse is None:
        return element("p", visit.words("picture.nothing_yet"), class_="soft")
    query = f"name={quote(name, safe='')}&taken={glimpse.taken_ns}"
    image = element(
        "img",
        src=f"/gate/picture/camera?{query}",
        alt=visit.words("picture.alt", name=name),
        width=glimpse.width,
        height=glimpse.height,
    )
    figure = element("div", image, _outlines(glimpse), class_="seen")
    if not glimpse.seen:
        return joined(figure, element("p", visit.words("picture.nothing_seen"), class_="soft"))
    found = [element("li", _told(visit, code)) for code in glimpse.seen]
    return joined(figure, element("ul", found, class_="rows"))


def _outlines(glimpse: Glimpse) -> Markup:
    """Draw the codes' outlines over the picture."""
    shapes = [
        element(
            "polygon",
            points=" ".join(f"{x},{y}" for x, y in code.outline),
            class_="read" if code.length else "found",
        )
        for code in glimpse.seen
    ]
    box = f"0 0 {glimpse.width} {glimpse.height}"
    return element("svg", shapes, viewBox=box, aria_hidden="true", focusable="false")


def _told(visit: Visit, code: SeenCode) -> str:
    if not code.length:
        return visit.words("picture.found", symbology=code.symbology or "?")
    return visit.words("picture.read", symbology=code.symbology or "?", length=code.length)
