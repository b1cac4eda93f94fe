"""What a supervisor may do at the gate, and its counts. Called by the framework.

Whatever bends a rule asks who and why; the gate writes both down before anything happens.
"""

from typing import Final

from admission.scan import Direction
from appliance.handheld_ports import StaffDesk
from appliance.local_page.figures import card, facts
from appliance.local_page.markup import Markup, element, joined
from appliance.local_page.staff_words import answer_panel
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
from appliance.page_ports import PageRole
from appliance.steward_ports import (
    REASON_CHARACTERS_MAX,
    Done,
    LetThrough,
    MoveTo,
    Request,
    ResetLast,
    SetFree,
    SetLock,
    Statistics,
    Steward,
    Turn,
)

STEWARD: Final = "/gate/steward"
STEWARD_ENTRY: Final = NavigationEntry(STEWARD, "steward.title", PageRole.SUPERVISOR)
WHO_CHARACTERS_MAX: Final = 40
_REASONS: Final = ("wheelchair", "unreadable", "staff", "mistake")
_BAR: Final = 60  # pixels, the tallest


class StewardPage:
    """The page and its deeds."""

    def __init__(self, staff: StaffDesk) -> None:
        """Take whom it asks."""
        self._staff = staff

    def routes(self) -> list[Route]:
        """Give the addresses."""
        role = PageRole.SUPERVISOR
        return [
            Route("GET", STEWARD, role, self._show),
            Route("GET", f"{STEWARD}/live", role, self._live),
            Route("POST", STEWARD, role, self._do),
        ]

    async def _show(self, visit: Visit) -> Outcome:
        return self._page(visit)

    async def _live(self, visit: Visit) -> Outcome:
        async def parts() -> Parts:
            steward = self._staff.steward
            if steward is None:
                return {"counts": element("p", visit.words("staff.not_served"))}
            return {"counts": _counts(visit, steward)}

        return Live(parts, every_s=2.0)

    async def _do(self, visit: Visit) -> Outcome:
        steward = self._staff.steward
        request = _request(visit)
        if steward is None or request is None:
            return self._page(visit)
        outcome = await steward.ask(request)
        if isinstance(outcome, Done):
            visit.tell(visit.words("steward.done"))
            return Redirect(STEWARD)
        return self._page(visit, answer_panel(visit, self._staff, outcome), status=409)

    def _page(self, visit: Visit, answer: Markup | None = None, status: int = 200) -> Page:
        steward, title = self._staff.steward, visit.words("steward.title")
        if steward is None:
            body = element("p", visit.words("staff.not_served"), class_="notice warn")
            return Page(title, body, 503)
        is_hand = self._staff.handheld is not None
        body = joined(
            answer,
            _back(visit) if is_hand else None,
            element("datalist", [_reason(visit, name) for name in _REASONS], id="reasons"),
            element(
                "div",
                _through_card(visit, steward),
                _last_card(visit, steward),
                _turn_card(visit, steward),
                _move_card(visit, steward),
                _lock_card(visit, steward),
                _free_card(visit, steward),
                card(
                    visit.words("counts.title"),
                    element("div", _counts(visit, steward), id="counts", class_="follows"),
                ),
                class_="cards",
                data_home="/gate/hand" if is_hand else None,
            ),
        )
        return Page(
            title,
            body,
            status,
            live=f"{STEWARD}/live",
            scripts=("hand.js",) if is_hand else (),
            styles=("staff.css",),
        )


def _back(visit: Visit) -> Markup:
    """Give the way back to a handheld's face, which ends the supervisor's session."""
    return element(
        "a", visit.words("hand.back"), href="/gate/hand", class_="button", data_leaves="yes"
    )


def _request(visit: Visit) -> Request | None:
    """Read what is asked for; None where nobody's form says that."""
    form = visit.form
    who = form.get("who", "").strip()[:WHO_CHARACTERS_MAX] or visit.words("role.supervisor")
    reason, way = form.get("reason", ""), form.get("way", "")
    match form.get("deed"):
        case "through" if way in set(Direction):
            return LetThrough(Direction(way), who, reason)
        case "reset" if form.get("grant", "").isdecimal():
            return ResetLast(int(form["grant"][:18]), who, reason)
        case "turn" if way in set(Direction):
            return Turn(Direction(way), who, form.get("reader", ""))
        case "move" if form.get("checkpoint"):
            return MoveTo(form["checkpoint"], who, reason)
        case "lock":
            return SetLock(form.get("on") == "yes", who, reason)
        case "free":
            return SetFree(form.get("on") == "yes", who, reason)
        case _:
            return None


# --- the cards ------------------------------------------------------------------------------------


def _card(visit: Visit, deed: str, *children: Markup | None, confirm: str = "") -> Markup:
    form = visit.form_to(
        STEWARD,
        element("input", type="hidden", name="deed", value=deed),
        *children,
        class_="stack",
        **({"data_confirm": confirm} if confirm else {}),
    )
    return card(visit.words(f"steward.{deed}"), form)


def _who_and_why(visit: Visit, deed: str) -> Markup:
    return joined(
        element(
            "div",
            element("label", visit.words("steward.reason"), for_=f"{deed}-reason"),
            element(
                "input",
                id=f"{deed}-reason",
                name="reason",
                required=True,
                list="reasons",
                autocomplete="off",
                maxlength=REASON_CHARACTERS_MAX,
            ),
            class_="field",
        ),
        element(
            "div",
            element("label", visit.words("steward.who"), for_=f"{deed}-who"),
            element(
                "input",
                id=f"{deed}-who",
                name="who",
                autocomplete="name",
                maxlength=WHO_CHARACTERS_MAX,
            ),
            class_="field",
        ),
    )


def _reason(visit: Visit, name: str) -> Markup:
    return element("option", value=visit.words(f"reason.{name}"))


def _through_card(visit: Visit, steward: Steward) -> Markup:
    buttons = [
        element("button", visit.words(f"steward.let_{way.value}"), name="way", value=way.value)
        for way in Direction
        if way in steward.ways
    ]
    return _card(
        visit, "through", _who_and_why(visit, "through"), element("div", buttons, class_="buttons")
    )


def _last_card(visit: Visit, steward: Steward) -> Markup:
    last = steward.last()
    if last is None:
        nobody = element("p", visit.words("refusal.no_last"), class_="soft")
        return card(visit.words("steward.reset"), nobody)
    way = visit.words(f"keyed.{last.direction.value}")
    what = visit.words("steward.override") if last.is_override else last.category
    told = " · ".join(part for part in (f"{last.at:%H:%M:%S}", way, what) if part)
    return _card(
        visit,
        "reset",
        element("p", told, " — ", visit.words(f"end.{last.end.value}")),
        element("input", type="hidden", name="grant", value=last.grant),
        _who_and_why(visit, "reset"),
        element("button", visit.words("steward.take_back"), class_="danger"),
        confirm=visit.words("steward.reset_sure"),
    )


def _turn_card(visit: Visit, steward: Steward) -> Markup:
    rows = []
    for reader, direction in steward.directions.items():
        other = Direction.EXIT if direction is Direction.ENTRY else Direction.ENTRY
        words = visit.words("steward.turn_to", way=visit.words(f"keyed.{other.value}"))
        rows.append(
            visit.form_to(
                STEWARD,
                element("input", type="hidden", name="deed", value="turn"),
                element("input", type="hidden", name="reader", value=reader),
                element("span", f"{reader} · {visit.words(f'keyed.{direction.value}')}"),
                element("button", words, name="way", value=other.value, class_="quiet")
                if other in steward.ways
                else None,
                class_="row",
            )
        )
    return card(visit.words("steward.turn"), *rows)


def _move_card(visit: Visit, steward: Steward) -> Markup | None:
    here, *others = steward.checkpoints.items() or [("", "")]
    if not others:
        return None  # there is nowhere else
    choices = [element("option", name, value=checkpoint) for checkpoint, name in others]
    return _card(
        visit,
        "move",
        element("p", visit.words("steward.is_at", checkpoint=here[1])),
        element("label", visit.words("steward.move_to"), for_="move-checkpoint"),
        element("select", choices, id="move-checkpoint", name="checkpoint"),
        _who_and_why(visit, "move"),
        element("button", visit.words("steward.move_now")),
    )


def _lock_card(visit: Visit, steward: Steward) -> Markup:
    is_on = steward.is_locked
    return _card(
        visit,
        "lock",
        element("p", visit.words("steward.is_locked" if is_on else "steward.is_open")),
        _who_and_why(visit, "lock"),
        element(
            "button",
            visit.words("steward.unlock" if is_on else "steward.lock_now"),
            name="on",
            value="no" if is_on else "yes",
        ),
    )


def _free_card(visit: Visit, steward: Steward) -> Markup:
    is_on = steward.is_free
    return _card(
        visit,
        "free",
        element("p", visit.words("steward.is_free" if is_on else "steward.is_not_free")),
        _who_and_why(visit, "free"),
        element(
            "button",
            visit.words("steward.end_free" if is_on else "steward.begin_free"),
            name="on",
            value="no" if is_on else "yes",
            class_="danger",
        ),
        confirm=visit.words("steward.end_free_sure" if is_on else "steward.begin_free_sure"),
    )


# --- the counts -----------------------------------------------------------------------------------


def _counts(visit: Visit, steward: Steward) -> Markup:
    told = steward.statistics()
    refused = sum(told.refused.values())
    inside = "–" if told.occupancy is None else told.occupancy
    figures: list[tuple[str, int | str]] = [
        ("counts.inside", inside),
        ("counts.granted", told.granted),
        ("counts.refused", refused),
        ("counts.overrides", told.overrides),
        ("counts.not_passed", told.not_passed),
        ("counts.queue", steward.queue),
    ]
    rows = [(visit.words(key), str(value)) for key, value in figures]
    reasons = element(
        "table",
        element("caption", visit.words("counts.why")),
        element(
            "tbody",
            [
                element(
                    "tr",
                    element("th", visit.words(f"answer.{answer}"), scope="row"),
                    element("td", count, class_="number"),
                )
                for answer, count in told.refused.items()
            ],
        ),
    )
    return joined(facts(*rows), _bars(visit, told), reasons if refused else None)


def _bars(visit: Visit, told: Statistics) -> Markup:
    """Draw the last minutes; the words say the same to whoever does not see them."""
    most = max(*told.per_minute, 1)
    bars = [
        element("rect", x=4 * place, y=_BAR - height, width=3, height=height)
        for place, count in enumerate(told.per_minute)
        if (height := _BAR * count // most)
    ]
    latest = told.per_minute[-2] if len(told.per_minute) > 1 else 0
    words = visit.words("counts.per_minute", last=latest, most=max(told.per_minute))
    return element(
        "figure",
        element(
            "svg",
            bars,
            viewBox=f"0 0 {4 * len(told.per_minute)} {_BAR}",
            class_="minutes",
            preserveAspectRatio="none",
            aria_hidden="true",
        ),
        element("figcaption", words, class_="soft small"),
    )
