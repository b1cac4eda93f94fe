"""Ticket numbers typed by hand: judged like a scan, or only looked at. Called by the framework."""

from typing import Final

from admission.limits import NUMBER_CODE_POINTS_MAX
from admission.scan import Direction
from appliance.handheld_ports import StaffDesk
from appliance.local_page.markup import Markup, element, joined
from appliance.local_page.staff_words import answer_panel
from appliance.local_page.visits import NavigationEntry, Outcome, Page, Redirect, Route, Visit
from appliance.page_ports import PageRole
from appliance.steward_ports import Done, Keyed, Steward

KEYED: Final = "/gate/keyed"
HAND: Final = "/gate/hand"
KEYED_ENTRY: Final = NavigationEntry(KEYED, "keyed.title", PageRole.STEWARD)
_ROWS: Final = ("123", "456", "789", "-0")
_LETTERS: Final = ("ABCDEFG", "HIJKLMN", "OPQRSTU", "VWXYZ")


class KeyedPage:
    """The page, in the frame; on a handheld it fills the screen."""

    def __init__(self, staff: StaffDesk) -> None:
        """Take whom it asks."""
        self._staff = staff

    def routes(self) -> list[Route]:
        """Give the addresses."""
        return [
            Route("GET", KEYED, PageRole.STEWARD, self._show),
            Route("POST", KEYED, PageRole.STEWARD, self._ask),
        ]

    async def _show(self, visit: Visit) -> Outcome:
        return self._page(visit, visit.query.get("way", ""))

    async def _ask(self, visit: Visit) -> Outcome:
        steward = self._staff.steward
        if steward is None:
            return self._page(visit)
        way = visit.form.get("way", "")
        direction = Direction(way) if way in set(Direction) else _usual(steward)
        is_check = visit.form.get("deed") != "use"
        outcome = await steward.ask(Keyed(visit.form.get("number", ""), direction, is_check))
        if isinstance(outcome, Done) and self._staff.handheld is not None:
            return Redirect(HAND)  # the answer stands there, for as long as it is wanted
        return self._page(visit, direction.value, answer_panel(visit, self._staff, outcome))

    def _page(self, visit: Visit, way: str = "", answer: Markup | None = None) -> Page:
        steward = self._staff.steward
        is_hand = self._staff.handheld is not None
        title = visit.words("keyed.title")
        if steward is None:
            body = element("p", visit.words("staff.not_served"), class_="notice warn")
            return Page(title, body, 503)
        back = (
            element("a", visit.words("hand.back"), href=HAND, class_="button") if is_hand else None
        )
        body = element(
            "div",
            answer,
            _form(visit, steward, way or _usual(steward).value),
            back,
            class_="keyed hand-page" if is_hand else "keyed",
            data_home=HAND if is_hand else None,
        )
        return Page(
            title,
            body,
            scripts=("keyed.js", "hand.js") if is_hand else ("keyed.js",),
            styles=("staff.css",),
            is_bare=is_hand,
        )


def _usual(steward: Steward) -> Direction:
    """Give the way of the first reader."""
    return next(iter(steward.directions.values()), Direction.ENTRY)


def _form(visit: Visit, steward: Steward, way: str) -> Markup:
    ways = [
        element(
            "label",
            element("input", type="radio", name="way", value=one.value, checked=one.value == way),
            element("span", visit.words(f"keyed.{one.value}")),
        )
        for one in Direction
        if one in steward.ways
    ]
    choice = (
        element(
            "fieldset",
            element("legend", visit.words("keyed.way"), class_="visually-hidden"),
            element("div", ways, class_="choices"),
        )
        if len(ways) > 1
        else None
    )
    return visit.form_to(
        KEYED,
        element(
            "div",
            element("label", visit.words("keyed.number"), for_="number"),
            element(
                "input",
                id="number",
                name="number",
                required=True,
                maxlength=NUMBER_CODE_POINTS_MAX,
                autocomplete="off",
                autocapitalize="characters",
                autocorrect="off",
                spellcheck="false",
                enterkeyhint="go",
                aria_describedby="number-hint",
            ),
            element("p", visit.words("keyed.hint"), id="number-hint", class_="soft small"),
            class_="field",
        ),
        choice,
        _pad(visit),
        element(
            "div",
            element("button", visit.words("keyed.use"), name="deed", value="use", class_="primary"),
            element("button", visit.words("keyed.look"), name="deed", value="look"),
            class_="buttons thumbs",
        ),
        class_="card narrow",
    )


def _pad(visit: Visit) -> Markup:
    """Give keys for a screen without a keyboard; a script shows them and makes them work."""

    def keys(characters: str) -> list[Markup]:
        return [
            element("button", one, type="button", class_="key", data_key=one) for one in characters
        ]

    delete = element(
        "button",
        element("span", "⌫", aria_hidden="true"),
        element("span", visit.words("keyed.delete"), class_="visually-hidden"),
        type="button",
        class_="key",
        data_key="",
    )
    digits = element("div", [keys(row) for row in _ROWS], delete, class_="pad digits")
    letters = element(
        "details",
        element("summary", visit.words("keyed.letters")),
        element("div", [keys(row) for row in _LETTERS], class_="pad letters"),
    )
    return element(
        "div",
        joined(digits, letters),
        id="pad",
        role="group",
        aria_label=visit.words("keyed.pad"),
        hidden=True,
    )
