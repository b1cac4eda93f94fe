"""Logging in and out, and choosing the first PIN. Called by the framework, with its sessions."""

import logging

from appliance.errors import StorageError
from appliance.local_page.markup import Markup, element, joined
from appliance.local_page.sessions import Sessions
from appliance.local_page.throttling import PinThrottle
from appliance.local_page.visits import (
    LoggedIn,
    LoggedOut,
    Outcome,
    Page,
    Redirect,
    Route,
    Visit,
)
from appliance.page_ports import (
    PIN_CHARACTERS_MAX,
    PIN_CHARACTERS_MIN,
    PageRole,
    PinStore,
    pin_problem,
)
from appliance.ports import Clock

log = logging.getLogger(__name__)

HOME = "/gate/"
LOG_IN = "/gate/login"
FIRST = "/gate/first"


class LogIn:
    """The pages before the others."""

    def __init__(
        self, pins: PinStore, sessions: Sessions, throttle: PinThrottle, clock: Clock
    ) -> None:
        """Take the PINs, who is logged in, and how fast anybody may guess."""
        self._pins = pins
        self._sessions = sessions
        self._throttle = throttle
        self._clock = clock

    def routes(self) -> list[Route]:
        """Give the addresses."""
        return [
            Route("GET", LOG_IN, None, self._show),
            Route("POST", LOG_IN, None, self._try),
            Route("POST", "/gate/logout", None, self._leave),
            Route("GET", FIRST, None, self._show_first),
            Route("POST", FIRST, None, self._choose_first),
        ]

    async def _show(self, visit: Visit) -> Outcome:
        known = await self._pins.stamps()
        if PageRole.SUPERVISOR not in known:
            if visit.is_local:
                return Redirect(FIRST)
            body = element("p", visit.words("login.no_pin"), class_="notice")
            return Page(visit.words("login.title"), body, status=403)
        return self._page(visit, known)

    async def _try(self, visit: Visit) -> Outcome:
        known = await self._pins.stamps()
        now_ns = self._clock.monotonic_ns()
        if wait_s := self._throttle.wait_s(visit.address, now_ns):
            log.warning("log-in held back", extra={"wait_s": wait_s})
            problem = visit.words("login.wait", seconds=wait_s)
            return self._page(visit, known, problem, status=429)
        self._throttle.failed(visit.address, now_ns)  # taken back where the PIN is right
        role = _role(visit.form.get("role", ""))
        if role is None or not await self._pins.is_right(role, visit.form.get("pin", "")):
            log.warning("wrong PIN", extra={"role": "" if role is None else role.value})
            return self._page(visit, known, visit.words("login.wrong"), status=403)
        self._throttle.succeeded(visit.address)
        return await self._open(role, _target(visit))

    async def _open(self, role: PageRole, path: str) -> Outcome:
        stamps = await self._pins.stamps()
        token, _ = self._sessions.open(role, stamps.get(role, ""), self._clock.monotonic_ns())
        log.info("logged in", extra={"role": role.value})
        return LoggedIn(token, path)

    async def _leave(self, visit: Visit) -> Outcome:
        return LoggedOut(LOG_IN)

    def _page(
        self, visit: Visit, known: dict[PageRole, str], problem: str = "", status: int = 200
    ) -> Page:
        roles = [role for role in PageRole if role in known]
        chosen = _role(visit.form.get("role", "")) or roles[0]
        choice = element(
            "fieldset",
            element("legend", visit.words("login.who")),
            [_role_choice(visit, role, is_chosen=role is chosen) for role in roles],
            class_="choices",
        )
        target = element("input", type="hidden", name="then", value=_target(visit))
        ended = visit.words("login.ended") if "ended" in visit.query else ""
        return Page(
            visit.words("login.title"),
            joined(
                element("p", ended, role="status", class_="notice") if ended else None,
                _problem(problem),
                visit.form_to(
                    LOG_IN,
                    choice,
                    pin_field(visit, "pin", "login.pin", "current-password", problem),
                    target,
                    element("button", visit.words("login.enter"), class_="primary"),
                    class_="card narrow",
                ),
            ),
            status,
        )

    async def _show_first(self, visit: Visit) -> Outcome:
        if not visit.is_local or PageRole.SUPERVISOR in await self._pins.stamps():
            return Redirect(LOG_IN)
        return self._first_page(visit)

    async def _choose_first(self, visit: Visit) -> Outcome:
        """Take the first PIN from whoever sits at the machine itself, and from nobody else."""
        if not visit.is_local or PageRole.SUPERVISOR in await self._pins.stamps():
            return Redirect(LOG_IN)
        pin = visit.form.get("pin", "")
        problem = pin_problem(PageRole.SUPERVISOR, pin)
        if not problem and pin != visit.form.get("again", ""):
            problem = "other"
        if problem:
            return self._first_page(visit, pin_words(visit, PageRole.SUPERVISOR, problem))
        try:
            await self._pins.choose(PageRole.SUPERVISOR, pin)
        except StorageError:
            return self._first_page(visit, visit.words("pin.not_kept"))
        log.warning("first PIN chosen", extra={"role": PageRole.SUPERVISOR.value})
        return await self._open(PageRole.SUPERVISOR, HOME)

    def _first_page(self, visit: Visit, problem: str = "") -> Page:
        form = visit.form_to(
            FIRST,
            pin_field(visit, "pin", "pin.new", "new-password", problem),
            pin_field(visit, "again", "pin.again", "new-password", ""),
            element("button", visit.words("pin.choose"), class_="primary"),
            class_="card narrow",
        )
        words = element("p", visit.words("first.words"), class_="lead")
        return Page(
            visit.words("first.title"),
            joined(words, _problem(problem), form),
            400 if problem else 200,
        )


def pin_field(visit: Visit, name: str, key: str, use: str, problem: str) -> Markup:
    """Make the field of a PIN with its label."""
    return element(
        "div",
        element("label", visit.words(key), for_=name),
        element(
            "input",
            type="password",
            id=name,
            name=name,
            required=True,
            autocomplete=use,
            maxlength=PIN_CHARACTERS_MAX,
            aria_invalid="true" if problem else None,
            aria_describedby="problem" if problem else None,
        ),
        class_="field",
    )


def pin_words(visit: Visit, role: PageRole, problem: str) -> str:
    """Say what is wrong with a PIN that was to be chosen."""
    if problem == "short":
        return visit.words("pin.short", least=PIN_CHARACTERS_MIN[role])
    return visit.words(f"pin.{problem}")


def _problem(problem: str) -> Markup | None:
    if not problem:
        return None
    return element("p", problem, role="alert", id="problem", class_="notice bad")


def _role_choice(visit: Visit, role: PageRole, *, is_chosen: bool) -> Markup:
    button = element(
        "input", type="radio", name="role", value=role.value, checked=is_chosen, required=True
    )
    return element("label", button, element("span", visit.words(f"role.{role.value}")))


def _role(text: str) -> PageRole | None:
    return PageRole(text) if text in set(PageRole) else None


def _target(visit: Visit) -> str:
    """Give the page that was wanted first: one of the gate's own, never an address elsewhere."""
    wanted = visit.form.get("then") or visit.query.get("then") or HOME
    is_own = wanted.startswith("/gate/") and "//" not in wanted and "\\" not in wanted
    return wanted if is_own and wanted.isascii() and wanted.isprintable() else HOME
