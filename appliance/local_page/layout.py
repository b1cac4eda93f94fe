"""The frame of the gate's pages: head, navigation, notices, foot. Called by the framework."""

from typing import Final

from appliance.local_page.markup import Markup, element, joined
from appliance.local_page.visits import Navigation, Page, Visit

OTHER_LANGUAGE: Final = {"fr": "en", "en": "fr"}


def document(page: Page, visit: Visit, navigation: Navigation, gate: str, notice: str) -> str:
    """Give a page as a whole document.

    Args:
        page: what it says.
        visit: by whom.
        navigation: all that there is; what this visitor may not see is left out.
        gate: the gate's name, "" before it is known.
        notice: told once, above all else; "" is nothing.
    """
    scripts = ("gate.js", *page.scripts)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", " · ".join(part for part in (page.title, gate, "Portillon") if part)),
        [
            element("link", rel="stylesheet", href=f"/gate/static/{name}")
            for name in ("gate.css", *page.styles)
        ],
        [element("script", src=f"/gate/static/{name}", defer=True) for name in scripts],
    )
    body = element(
        "body",
        None if page.is_bare else _head(visit, navigation, gate),
        element(
            "main",
            _lost(visit, page),
            element("p", notice, role="status", class_="notice") if notice else None,
            element("h1", page.title, class_="visually-hidden" if page.is_bare else None),
            page.body,
            id="content",
            tabindex="-1",
        ),
        None if page.is_bare else _foot(visit),
        class_="bare" if page.is_bare else None,
        data_live=page.live or None,
    )
    return "<!doctype html>\n" + element("html", head, body, lang=visit.language)


def _head(visit: Visit, navigation: Navigation, gate: str) -> Markup:
    skip = element("a", visit.words("gate.skip"), href="#content", class_="skip")
    return joined(skip, _banner(visit, navigation, gate))


def _banner(visit: Visit, navigation: Navigation, gate: str) -> Markup:
    name = element(
        "p",
        element("span", "Portillon", class_="brand"),
        element("span", gate, class_="gate-name") if gate else None,
        class_="who",
    )
    return element("header", name, _navigation(visit, navigation), class_="banner")


def _navigation(visit: Visit, navigation: Navigation) -> Markup | None:
    links = [
        element(
            "li",
            element(
                "a",
                visit.words(entry.key),
                href=entry.path,
                aria_current="page" if entry.path == visit.path else None,
            ),
        )
        for entry in navigation
        if visit.may_act_as(entry.role)
    ]
    if not links:
        return None
    return element("nav", element("ul", links), aria_label=visit.words("gate.navigation"))


def _lost(visit: Visit, page: Page) -> Markup | None:
    """What a script fills in when the gate is not heard any more."""
    if not page.live:
        return None
    lost = element("p", role="alert", id="lost", data_text=visit.words("gate.lost"))
    without = element("noscript", element("p", visit.words("gate.without_script")))
    return joined(lost, without)


def _foot(visit: Visit) -> Markup:
    other = OTHER_LANGUAGE[visit.language]
    return element(
        "footer",
        element("a", visit.words("gate.display_page"), href="/"),
        element(
            "a",
            visit.words("gate.other_language"),
            href=f"{visit.path}?lang={other}",
            hreflang=other,
            lang=other,
        ),
        _who(visit),
    )


def _who(visit: Visit) -> Markup | None:
    if visit.role is None:
        return None
    button = element("button", visit.words("gate.log_out"), class_="quiet")
    return joined(
        element("span", visit.words(f"role.{visit.role.value}"), class_="role"),
        visit.form_to("/gate/logout", button, class_="inline"),
    )
