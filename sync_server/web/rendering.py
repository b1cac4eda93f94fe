"""From a template and its words to a page. Called by the back office's handlers.

One environment per language; everything is escaped, and an unknown name is an error, not "".
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import jinja2
from aiohttp import web
from markupsafe import Markup

from sync_server.web import charts, formats
from sync_server.web.formats import Formats
from sync_server.web.languages import LANGUAGES, catalogue
from sync_server.web.statics import Statics

TEMPLATES: Final = Path(__file__).parent / "templates"
EXTENSIONS: Final = ("jinja2.ext.i18n",)


class Pages:
    """Renders templates in either language.

    Args:
        statics: knows the addresses of style sheets and scripts.
    """

    def __init__(self, statics: Statics) -> None:
        self._environments = {language: _environment(language, statics) for language in LANGUAGES}

    def text(self, language: str, template: str, context: Mapping[str, object]) -> str:
        """Render a template, or a part of one, as text."""
        return self._environments[language].get_template(template).render(context)


class Words:
    """Translations for handlers."""

    def __init__(self, language: str) -> None:
        self._catalogue = catalogue(language)

    def __call__(self, message: str, **values: object) -> str:
        """Translate a message and fill its `%(name)s` in."""
        text = self._catalogue.gettext(message)
        return text % values if values else text

    def plural(self, one: str, many: str, number: int) -> str:
        """Translate a message that depends on a number, which fills `%(num)s`."""
        return self._catalogue.ngettext(one, many, number) % {"num": number}

    def known(self, context: str, code: str) -> str:
        """Give a code in words, or "" where the catalogue does not hold it."""
        text = self._catalogue.pgettext(context, code)
        return "" if text == code else text


def page(text: str, status: int = 200) -> web.Response:
    """Wrap a rendered page."""
    return web.Response(text=text, status=status, content_type="text/html")


@cache  # compiling all templates takes a good part of a second
def _environment(language: str, statics: Statics) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        extensions=EXTENSIONS,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.install_gettext_translations(  # type: ignore[attr-defined]  # added by its extension
        catalogue(language), newstyle=True
    )
    form = Formats(language)
    functions: dict[str, Callable[..., object]] = {
        "number": form.number,
        "share": form.share,
        "age": form.age,
        "percent": form.percent,
        "clock": form.clock,
        "exact": form.exact,
        "minute": form.minute,
        "day": form.day,
        "moment": form.moment,
        "instant": formats.instant,
        "iso": formats.iso,
        "isolated": formats.isolated,
        "share_of": formats.percent,
        "static": statics.address,
        "minute_chart": charts.minute_chart,
        # not the extension's pgettext, which would read a stray % in a code as a place to fill
        "word": catalogue(language).pgettext,
    }
    environment.globals.update(functions)
    environment.globals.update(language=language, languages=LANGUAGES, nothing=Markup("&mdash;"))
    return environment
