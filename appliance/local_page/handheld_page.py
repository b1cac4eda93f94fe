"""A handheld's face: the last answer large, and what a thumb reaches. Called by the framework.

Fills a small touch screen; there is no way out of it but by a PIN. Shows no name and no number.
"""

from dataclasses import replace
from typing import Final
from urllib.parse import quote

from admission.scan import Direction
from appliance.handheld_ports import HandheldView, StaffDesk
from appliance.local_page.keyed_page import HAND, KEYED
from appliance.local_page.log_in import LOG_IN
from appliance.local_page.markup import Markup, element, joined
from appliance.local_page.staff_words import answer_panel, screen_panel
from appliance.local_page.steward_page import STEWARD
from appliance.local_page.visits import Live, Outcome, Page, Parts, Redirect, Route, Visit
from appliance.page_ports import PageRole
from appliance.ports import Look
from appliance.steward_ports import Steward

LOOKS_S: Final = 0.2  # between two looks at the gate: an answer must not be waited for
_BARS: Final = 4
_OWN_PANEL: Final = frozenset(
    {Look.OUT_OF_SERVICE, Look.FREE_PASSAGE, Look.LOCKED_DOWN, Look.STARTING, Look.WAITING_LIST}
)


class HandheldPage:
    """The page and its buttons."""

    def __init__(self, staff: StaffDesk) -> None:
        """Take what it shows and works."""
        self._staff = staff

    def routes(self) -> list[Route]:
        """Give the addresses."""
        role = PageRole.STEWARD
        return [
            Route("GET", HAND, role, self._show),
            Route("GET", f"{HAND}/live", role, self._live),
            Route("POST", f"{HAND}/pull", role, self._pull),
            Route("POST", f"{HAND}/look", role, self._look),
            Route("POST", f"{HAND}/went", role, self._went),
        ]

    async def _show(self, visit: Visit) -> Outcome:
        hand, steward = self._staff.handheld, self._staff.steward
        title = visit.words("hand.title")
        if hand is None or steward is None:
            words = visit.words("staff.not_served" if steward is None else "hand.none")
            return Page(title, element("p", words, class_="notice warn"), 503)
        parts = self._parts(visit, hand, steward)
        body = element(
            "div",
            element("div", parts["hand-top"], id="hand-top", class_="hand-top"),
            element("div", parts["hand-mode"], id="hand-mode", role="status"),
            element(
                "div",
                parts["hand-result"],
                id="hand-result",
                class_="hand-result",
                role="status",
                tabindex="0",
            ),
            element("div", parts["hand-went"], id="hand-went"),
            element("div", _thumbs(visit, hand), class_="hand-thumbs"),
            class_="hand",
        )
        return Page(
            title,
            body,
            live=f"{HAND}/live",
            scripts=("hand.js",),
            styles=("staff.css",),
            is_bare=True,
        )

    async def _live(self, visit: Visit) -> Outcome:
        async def parts() -> Parts:
            hand, steward = self._staff.handheld, self._staff.steward
            if hand is None or steward is None:
                gone = element("p", visit.words("staff.not_served"), class_="notice warn")
                return {"hand-result": gone}
            return self._parts(visit, hand, steward)

        return Live(parts, every_s=LOOKS_S)

    async def _pull(self, visit: Visit) -> Outcome:
        if self._staff.handheld is not None:
            self._staff.handheld.pull()
        return Redirect(HAND)

    async def _look(self, visit: Visit) -> Outcome:
        # never at a turnstile: nobody would be let in meanwhile
        if self._staff.steward is not None and self._staff.handheld is not None:
            self._staff.steward.check_only(is_on=visit.form.get("on") == "yes")
        return Redirect(HAND)

    async def _went(self, visit: Visit) -> Outcome:
        if self._staff.handheld is not None:
            self._staff.handheld.went(has_passed=visit.form.get("passed") == "yes")
        return Redirect(HAND)

    # --- the parts --------------------------------------------------------------------------------

    def _parts(self, visit: Visit, hand: HandheldView, steward: Steward) -> dict[str, Markup]:
        return {
            "hand-top": _top(visit, hand, steward),
            "hand-mode": _mode(visit, steward),
            "hand-result": self._result(visit, hand, steward),
            "hand-went": _went_buttons(visit, hand),
        }

    def _result(self, visit: Visit, hand: HandheldView, steward: Steward) -> Markup:
        """Give the last answer; what stops everybody comes before it."""
        if hand.now is not None and hand.now.look in _OWN_PANEL:
            return joined(screen_panel(visit, self._staff, hand.now))
        if steward.is_check_only:
            looked = steward.looked_at
            if looked is not None:
                return joined(answer_panel(visit, self._staff, replace(looked, holder="")))
        elif hand.last is not None:
            return joined(screen_panel(visit, self._staff, hand.last))
        words = "hand.looking" if hand.is_triggered else "hand.ready"
        return element("p", visit.words(words), class_="hand-ready")


def _thumbs(visit: Visit, hand: HandheldView) -> Markup:
    pull = None
    if hand.has_trigger:
        button = element("button", visit.words("hand.scan"), class_="primary thumb")
        pull = visit.form_to(f"{HAND}/pull", button, data_quiet="yes")
    is_supervisor = visit.may_act_as(PageRole.SUPERVISOR)
    theirs = STEWARD if is_supervisor else f"{LOG_IN}?then={quote(STEWARD, safe='')}"
    return joined(
        pull,
        element(
            "div",
            element("a", visit.words("hand.type"), href=KEYED, class_="button thumb"),
            element("a", visit.words("hand.supervisor"), href=theirs, class_="button thumb"),
            class_="hand-row",
        ),
    )


def _top(visit: Visit, hand: HandheldView, steward: Steward) -> Markup:
    direction = next(iter(steward.directions.values()), Direction.ENTRY)
    arrow = "→" if direction is Direction.ENTRY else "←"
    now = hand.now
    inside = None if now is None or now.occupancy is None else now.occupancy
    return joined(
        element(
            "span",
            element("span", arrow, aria_hidden="true"),
            f" {visit.words(f'keyed.{direction.value}')}",
            class_=f"hand-way way-{direction.value}",
        ),
        element("span", visit.counted("hand.inside", inside)) if inside is not None else None,
        element("span", now.fault, class_="state warn") if now is not None and now.fault else None,
        element("span", visit.words("hand.degraded"), class_="state warn")
        if now is not None and now.degraded
        else None,
        _battery(visit, hand),
    )


def _battery(visit: Visit, hand: HandheldView) -> Markup | None:
    reading = hand.battery
    if reading is None or reading.percent is None:
        return None
    full = -(-reading.percent * _BARS // 100)
    bars = [
        element("rect", x=3 + 5 * place, y=4, width=4, height=8, class_="full")
        for place in range(full)
    ]
    picture = element(
        "svg",
        element("rect", x=1, y=2, width=22, height=12, rx=2, class_="case"),
        element("rect", x=24, y=6, width=2, height=4, class_="full"),
        bars,
        viewBox="0 0 27 16",
        width=27,
        height=16,
        aria_hidden="true",
    )
    key = "hand.charging" if reading.is_plugged else "hand.battery"
    words = element("span", visit.words(key), class_="visually-hidden")
    plugged = element("span", "⚡", aria_hidden="true") if reading.is_plugged else None
    return element("span", picture, plugged, words, f" {reading.percent} %", class_="hand-battery")


def _mode(visit: Visit, steward: Steward) -> Markup:
    """Say whether tickets are only looked at, with the button for it."""
    is_on = steward.is_check_only
    button = element(
        "button",
        visit.words("hand.mark_again" if is_on else "hand.only_look"),
        name="on",
        value="no" if is_on else "yes",
        class_="quiet",
    )
    return element(
        "div",
        element("p", visit.words("hand.is_only_look")) if is_on else None,
        visit.form_to(f"{HAND}/look", button, class_="inline"),
        class_="hand-look on" if is_on else "hand-look",
    )


def _went_buttons(visit: Visit, hand: HandheldView) -> Markup:
    """Ask whether the person went, where the steward is the sensor."""
    if hand.awaits is None:
        return joined()

    def button(passed: str, key: str, class_: str) -> Markup:
        made = element("button", visit.words(key), name="passed", value=passed, class_=class_)
        return visit.form_to(f"{HAND}/went", made)

    return element(
        "div",
        button("yes", "hand.went", "primary thumb"),
        button("no", "hand.not_went", "thumb"),
        class_="hand-row",
    )
