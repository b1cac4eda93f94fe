"""What was answered to a steward, as a panel: colour, shape, words. Called by staff pages."""

from dataclasses import replace
from typing import Final

from appliance.handheld_ports import StaffDesk
from appliance.local_page.figures import facts
from appliance.local_page.markup import Markup, element, joined
from appliance.local_page.visits import Visit
from appliance.ports import Screen
from appliance.steward_ports import Checked, Done, Outcome, Refused

SHAPES: Final = {"good": "✔", "look": "!", "wait": "↺", "stop": "✖", "still": "■"}
_NOTHING_MORE: Final = "!"  # a ticket's attention that says no more than that there is one


def answer_panel(visit: Visit, staff: StaffDesk, outcome: Outcome) -> Markup | None:
    """Give what an outcome says; None where it says nothing."""
    match outcome:
        case Refused(why):
            words = visit.words(f"refusal.{why.value}")
            return _panel("stop", words, (), alert=True)
        case Checked():
            return joined(
                screen_panel(visit, staff, outcome.screen, alert=True), _known(visit, outcome)
            )
        case Done(screen):
            return None if screen is None else screen_panel(visit, staff, screen, alert=True)


def screen_panel(
    visit: Visit, staff: StaffDesk, screen: Screen, *, alert: bool = False
) -> Markup | None:
    """Give a screen as a panel, without anybody's name; None where nothing is served."""
    if staff.tell is None:
        return None
    told = staff.tell(replace(screen, holder=""), visit.language)
    return _panel(told.tone, told.title, (told.detail, told.line), alert=alert)


def _panel(tone: str, title: str, lines: tuple[str, ...], *, alert: bool) -> Markup:
    return element(
        "div",
        element("span", SHAPES[tone], class_="shape", aria_hidden="true"),
        element(
            "div",
            element("p", title, class_="told-title"),
            [element("p", line) for line in lines if line],
        ),
        class_=f"told tone-{tone}",
        role="alert" if alert else None,
    )


def _known(visit: Visit, checked: Checked) -> Markup:
    """Say what is known of a ticket that was only looked at."""
    rows = [("told.category", checked.category), ("told.seat", checked.seat)]
    if checked.attention:
        is_bare = checked.attention == _NOTHING_MORE
        words = visit.words("told.look_closely") if is_bare else checked.attention
        rows.insert(0, ("told.attention", words))
    rows.append(("told.holder", checked.holder))
    if checked.first_used_at is not None:
        at = checked.first_used_at.strftime("%Y-%m-%d %H:%M")
        where = checked.first_used_by
        if where is not None:
            at = f"{at} · {where or visit.words('told.here')}"
        rows.append(("told.first_used", at))
        rows.append(("told.passages", str(checked.passages)))
    told = [(visit.words(key), value) for key, value in rows if value]
    return joined(
        element("p", visit.words("told.only_looked"), class_="soft"),
        facts(*told) if told else None,
    )
