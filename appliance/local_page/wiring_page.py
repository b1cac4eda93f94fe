"""The wiring test: arm, sensors, lights, sounds, readers, each by hand. For supervisors."""

from typing import Final

from admission.scan import Direction
from appliance.local_page.figures import card, span
from appliance.local_page.journal_page import known
from appliance.local_page.markup import Markup, element, joined
from appliance.local_page.visits import (
    Live,
    NavigationEntry,
    Outcome,
    Page,
    Parts,
    Redirect,
    Route,
    Visit,
)
from appliance.page_ports import GateDesk, PageRole, TrialRefusal, TrialScreen, Wiring

WIRING: Final = "/gate/wiring"
WIRING_ENTRY: Final = NavigationEntry(WIRING, "nav.wiring", PageRole.SUPERVISOR)
EVERY_S: Final = 0.5
WHO: Final = "page"


class WiringPage:
    """The page and its deeds."""

    def __init__(self, desk: GateDesk) -> None:
        """Take where the test is asked for."""
        self._desk = desk

    def routes(self) -> list[Route]:
        """Give its addresses."""
        supervisor = PageRole.SUPERVISOR
        return [
            Route("GET", WIRING, supervisor, self._show),
            Route("GET", f"{WIRING}/live", supervisor, self._follow),
            Route("POST", f"{WIRING}/begin", supervisor, self._begin),
            Route("POST", f"{WIRING}/end", supervisor, self._end),
            Route("POST", f"{WIRING}/pulse", supervisor, self._pulse),
            Route("POST", f"{WIRING}/screen", supervisor, self._screen),
        ]

    async def _show(self, visit: Visit) -> Outcome:
        title, wiring = visit.words("wiring.title"), self._desk.wiring
        if wiring is None:
            return Page(
                title, element("p", visit.words("overview.not_served"), class_="notice warn")
            )
        if wiring.left_s is None:
            begin = element("button", visit.words("wiring.begin"), class_="primary")
            form = visit.form_to(
                f"{WIRING}/begin", begin, data_confirm=visit.words("wiring.begin_sure")
            )
            return Page(
                title, joined(element("p", visit.words("wiring.words"), class_="lead"), form)
            )
        return Page(title, self._running(visit, wiring), live=f"{WIRING}/live")

    def _running(self, visit: Visit, wiring: Wiring) -> Markup:
        parts = _parts(visit, wiring)
        end = element("button", visit.words("wiring.end"), class_="primary")
        places = {name: element("div", parts[name], id=name, class_="follows") for name in parts}
        return joined(
            element(
                "div", places["left"], visit.form_to(f"{WIRING}/end", end), class_="notice warn"
            ),
            element(
                "div",
                card(
                    visit.words("wiring.arm"), _pulses(visit, wiring), places["heard"], name="arm"
                ),
                card(visit.words("wiring.readers"), places["reads"], name="readers"),
                card(visit.words("wiring.screens"), _screens(visit), name="screens"),
                class_="cards",
            ),
        )

    async def _follow(self, visit: Visit) -> Outcome:
        async def parts() -> Parts:
            wiring = self._desk.wiring
            if wiring is None or wiring.left_s is None:
                return {"left": element("p", visit.words("wiring.is_over"))}
            return _parts(visit, wiring)

        return Live(parts, EVERY_S)

    async def _begin(self, visit: Visit) -> Outcome:
        wiring = self._desk.wiring
        return _done(visit, TrialRefusal.NOT_BEGUN if wiring is None else await wiring.begin(WHO))

    async def _end(self, visit: Visit) -> Outcome:
        if self._desk.wiring is not None:
            await self._desk.wiring.end(WHO)
        return _done(visit, None)

    async def _pulse(self, visit: Visit) -> Outcome:
        wiring, way = self._desk.wiring, visit.form.get("direction", "")
        if wiring is None or way not in set(Direction):
            return _done(visit, TrialRefusal.NOT_BEGUN)
        return _done(visit, await wiring.pulse(Direction(way), WHO))

    async def _screen(self, visit: Visit) -> Outcome:
        wiring, screen = self._desk.wiring, visit.form.get("screen", "")
        if wiring is None or screen not in set(TrialScreen):
            return _done(visit, TrialRefusal.NOT_BEGUN)
        return _done(visit, wiring.show(TrialScreen(screen)))


def _done(visit: Visit, refusal: TrialRefusal | None) -> Redirect:
    if refusal is not None:
        visit.tell(visit.words(f"wiring.refused.{refusal.value}"))
    return Redirect(WIRING)


def _parts(visit: Visit, wiring: Wiring) -> dict[str, Markup]:
    left = visit.words("wiring.left", span=span(visit, wiring.left_s))
    heard = [
        element("li", known(visit, f"event.{one.word}", one.word), " ", _ago(visit, one.ago_s))
        for one in wiring.heard
    ]
    reads = [
        element(
            "li",
            f"{one.reader} · {one.symbology or visit.words('wiring.no_kind')} · ",
            visit.counted("wiring.bytes", one.length),
            " ",
            _ago(visit, one.ago_s),
        )
        for one in wiring.reads
    ]
    return {
        "left": element("p", left),
        "heard": _list(heard, visit.words("wiring.nothing_heard")),
        "reads": _list(reads, visit.words("wiring.nothing_read")),
    }


def _list(rows: list[Markup], otherwise: str) -> Markup:
    return element("ul", rows) if rows else element("p", otherwise, class_="soft")


def _ago(visit: Visit, ago_s: float) -> Markup:
    words = visit.words("wiring.ago", span=span(visit, ago_s))
    return element("span", words, class_="small soft")


def _pulses(visit: Visit, wiring: Wiring) -> Markup:
    if not wiring.ways:
        return element("p", visit.words("wiring.no_arm"), class_="soft")
    forms = [
        visit.form_to(
            f"{WIRING}/pulse",
            element("input", type="hidden", name="direction", value=way.value),
            element("button", visit.words(f"wiring.pulse_{way.value}")),
            class_="inline",
        )
        for way in Direction
        if way in wiring.ways
    ]
    return element("div", forms, class_="buttons")


def _screens(visit: Visit) -> Markup:
    forms = [
        visit.form_to(
            f"{WIRING}/screen",
            element("input", type="hidden", name="screen", value=screen.value),
            element("button", visit.words(f"wiring.screen_{screen.value}")),
            class_="inline",
        )
        for screen in TrialScreen
    ]
    words = element("p", visit.words("wiring.screens_words"), class_="soft small")
    return joined(words, element("div", forms, class_="buttons"))
