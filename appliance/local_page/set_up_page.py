"""Set-up: the configuration file whole, checked before it is kept, and the stewards' PIN."""

import logging
from typing import Final

from appliance.errors import StorageError
from appliance.local_page.figures import card
from appliance.local_page.log_in import pin_field, pin_words
from appliance.local_page.markup import Markup, element, joined
from appliance.local_page.visits import NavigationEntry, Outcome, Page, Redirect, Route, Visit
from appliance.page_ports import GateDesk, PageRole, PinStore, Settings, pin_problem

log = logging.getLogger(__name__)

SET_UP: Final = "/gate/set-up"
SET_UP_ENTRY: Final = NavigationEntry(SET_UP, "nav.set_up", PageRole.SUPERVISOR)
_BODY_BYTES_MAX: Final = 262_144  # the file, each byte of it written with up to three
_ROWS: Final = 28


class SetUpPage:
    """The page and its deeds."""

    def __init__(self, desk: GateDesk, pins: PinStore) -> None:
        """Take where the settings are, and the PINs."""
        self._desk = desk
        self._pins = pins

    def routes(self) -> list[Route]:
        """Give its addresses."""
        role = PageRole.SUPERVISOR
        return [
            Route("GET", SET_UP, role, self._show),
            Route("POST", SET_UP, role, self._save, _BODY_BYTES_MAX),
            Route("POST", f"{SET_UP}/pin", role, self._choose_pin),
        ]

    async def _show(self, visit: Visit) -> Outcome:
        settings = self._desk.settings
        if settings is None:
            return Page(visit.words("set_up.title"), await self._pin(visit))
        return await self._page(visit, settings)

    async def _page(
        self, visit: Visit, settings: Settings, text: str | None = None, problem: str = ""
    ) -> Page:
        try:
            kept = await settings.read()
        except StorageError as exc:
            failed = element("p", str(exc), role="alert", class_="notice bad")
            return Page(visit.words("set_up.title"), joined(failed, await self._pin(visit)), 503)
        area = element(
            "textarea",
            kept.text if text is None else text,
            id="text",
            name="text",
            rows=_ROWS,
            spellcheck="false",
            autocomplete="off",
            aria_invalid="true" if problem else None,
            aria_describedby="problem" if problem else "file-words",
        )
        form = visit.form_to(
            SET_UP,
            element("input", type="hidden", name="seen", value=kept.digest),
            element("label", visit.words("set_up.text"), for_="text"),
            area,
            element(
                "div",
                _button(visit, "check", "set_up.check"),
                _button(visit, "save", "set_up.save", class_="primary"),
                class_="buttons",
            ),
        )
        words = element("p", visit.words("set_up.file_words"), id="file-words", class_="soft small")
        told = (
            element("p", problem, role="alert", id="problem", class_="notice bad")
            if problem
            else None
        )
        file = card(visit.words("set_up.file"), words, told, form, name="file")
        return Page(
            visit.words("set_up.title"),
            joined(file, await self._pin(visit)),
            status=400 if problem else 200,
        )

    async def _save(self, visit: Visit) -> Outcome:
        settings = self._desk.settings
        if settings is None:
            return Redirect(SET_UP)
        text = visit.form.get("text", "").replace("\r\n", "\n")
        is_saved = visit.form.get("do") == "save"
        try:
            if is_saved:
                problem = await settings.save(text, visit.form.get("seen", ""))
            else:
                problem = await settings.check(text)
        except StorageError as exc:
            return await self._page(visit, settings, text, str(exc))
        if problem == "changed":
            problem = visit.words("set_up.changed")
        if problem:
            return await self._page(visit, settings, text, problem)
        if not is_saved:
            visit.tell(visit.words("set_up.is_good"))
            return await self._page(visit, settings, text)
        log.warning("settings saved", extra={"role": PageRole.SUPERVISOR.value})
        visit.tell(visit.words("set_up.saved"))
        return Redirect(SET_UP)

    async def _pin(self, visit: Visit) -> Markup:
        is_set = PageRole.STEWARD in await self._pins.stamps()
        return card(
            visit.words("set_up.pin"),
            element("p", visit.words("set_up.pin_set" if is_set else "set_up.pin_none")),
            visit.form_to(
                f"{SET_UP}/pin",
                pin_field(visit, "pin", "pin.new", "new-password", ""),
                pin_field(visit, "again", "pin.again", "new-password", ""),
                element("button", visit.words("pin.choose")),
                class_="narrow stacked",
            ),
            name="pin-card",
        )

    async def _choose_pin(self, visit: Visit) -> Outcome:
        """Choose the stewards'; the supervisors' own is chosen at the shell."""
        pin = visit.form.get("pin", "")
        problem = pin_problem(PageRole.STEWARD, pin)
        if not problem and pin != visit.form.get("again", ""):
            problem = "other"
        if problem:
            visit.tell(pin_words(visit, PageRole.STEWARD, problem))
            return Redirect(SET_UP)
        await self._pins.choose(PageRole.STEWARD, pin)
        visit.tell(visit.words("set_up.pin_chosen"))
        return Redirect(SET_UP)


def _button(visit: Visit, deed: str, key: str, class_: str | None = None) -> Markup:
    return element("button", visit.words(key), name="do", value=deed, class_=class_)
