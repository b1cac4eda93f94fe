"""What a screen says, in the language of the gate: catalogue look-ups, nothing drawn.

Called by `layout` (pictures) and by whoever needs the same as text (the live page, a screen
reader). The catalogues are compiled gettext files keyed by code; they are read once and kept.

How `Screen.detail` is understood:

    not_yet_valid       the time of opening alone, as the venue's clock shows it: "19:00"
    wrong_performance   the right event; wrong_checkpoint, gate_locked: the gate to go to
    incomplete          what is missing
    already_used        when: "19:02"; `Screen.gate` says where; likewise every other answer
    granted             the category

Of an enrolment the detail is the link: a picture (`code`), and no text unless that cannot be shown.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from gettext import GNUTranslations, translation
from pathlib import Path
from typing import Final

from admission.scan import Direction
from admission.verdict import Answer
from appliance.displays.appearance import answer_of, asks_attention, goes_anyway
from appliance.displays.isolating import isolated
from appliance.ports import Look, Screen

LANGUAGES: Final = ("en", "fr")
NOTHING_MORE: Final = "!"  # a ticket's attention that says no more than that there is one
_UNBROKEN: Final = "\u00a0"
_ATTENTION: Final = "answer.granted.attention"
_DAYS_FROM_H: Final = 48  # from here on, hours say less than days
_CATALOGUES: Final = Path(__file__).parent / "catalogues"


@dataclass(frozen=True, slots=True)
class Words:
    """Every text of one screen; "" is none.

    Attributes:
        title: the answer, or the performance's name on an idle gate.
        detail: when, where, which.
        one_sentence: whether the detail completes the title ("Doors at" "19:00").
        line: what to do.
        way: the direction's name.
        banner: what is amiss and for how long, "" while connected.
        banner_tight: the same with fewer words, for small panels.
        banner_short: what is amiss alone, for the smallest.
        banner_why: what that means.
        inside: the number of people inside, grouped by thousands.
        link: what is shown as a QR code.
        scan: what to do with that code, in place of `line`.
    """

    title: str
    detail: str
    one_sentence: bool
    line: str
    way: str
    banner: str
    banner_tight: str
    banner_short: str
    banner_why: str
    inside: str
    link: str = ""
    scan: str = ""


def words_of(screen: Screen, language: str) -> Words:
    """Give every text of a screen.

    Args:
        screen: what is shown.
        language: `fr`, `en`, or a tag that begins with one of them (`fr-CA`).

    Raises:
        ValueError: if there is no such catalogue, or the screen is a refusal without a reason.
    """
    catalogue = _Catalogue(language)
    title, line = _title_and_line(screen, catalogue)
    before = _title_before(screen, catalogue)
    inside = "" if screen.occupancy is None else catalogue.number(screen.occupancy)
    banner = _banner_key(screen)
    return Words(
        title=before or title,
        detail=_detail(screen, catalogue),
        one_sentence=before is not None,
        line=line,
        way=catalogue.text(f"direction.{screen.direction}"),
        banner=_banner(screen, banner, catalogue) if banner else "",
        banner_tight=_banner_tight(screen, banner, catalogue) if banner else "",
        banner_short=catalogue.text(f"{banner}.short") if banner else "",
        banner_why=catalogue.text(f"{banner}.why") if banner else "",
        inside=inside,
        link=screen.detail if screen.look is Look.ENROLLING else "",
        scan=catalogue.text("look.enrolling.scan") if screen.look is Look.ENROLLING else "",
    )


def spoken(screen: Screen, language: str) -> str:
    """Give a screen as one line of text, for a screen reader: the answer first.

    Raises:
        ValueError: as `words_of`.
    """
    named = replace(
        screen,
        title=isolated(screen.title),
        detail=isolated(screen.detail),
        attention=tuple(isolated(text) for text in screen.attention),
        seat=isolated(screen.seat),
        holder=isolated(screen.holder),
        gate=None if screen.gate is None else isolated(screen.gate),
    )
    words = words_of(named, language)
    join = " " if words.one_sentence else ". "
    told = join.join(part for part in (words.title, words.detail) if part)
    inside = ""
    if screen.occupancy is not None:
        inside = _Catalogue(language).people(screen.occupancy)
    parts = (told, words.line, words.way, inside, words.banner)
    return ". ".join(part.rstrip(".") for part in parts if part) + "."


def check_language(language: str) -> str:
    """Give the catalogue's name for a language tag.

    Raises:
        ValueError: if there is no such catalogue; those there are are named.
    """
    primary = language.replace("_", "-").split("-")[0].lower()
    if primary not in LANGUAGES:
        raise ValueError(f"no words for language {language!r}; there are {', '.join(LANGUAGES)}")
    return primary


def _banner_key(screen: Screen) -> str | None:
    if not screen.degraded:
        return None
    return "banner.degraded" if screen.degraded_by is None else f"banner.{screen.degraded_by}"


def _banner(screen: Screen, key: str, catalogue: "_Catalogue") -> str:
    """Give what is amiss, with its age where that is known and there are words for it."""
    with_age = catalogue.find(f"{key}.for") if screen.degraded_min > 0 else None
    if with_age is None:
        return catalogue.text(key)
    return with_age.replace("{age}", catalogue.age(screen.degraded_min))


def _banner_tight(screen: Screen, key: str, catalogue: "_Catalogue") -> str:
    age = catalogue.age(screen.degraded_min) if catalogue.find(f"{key}.for") else ""
    short = catalogue.text(f"{key}.short")
    return f"{short} {age}" if age and screen.degraded_min > 0 else short


def _title_and_line(screen: Screen, catalogue: "_Catalogue") -> tuple[str, str]:
    answer = answer_of(screen)
    if answer is not None:
        return _answer_words(screen, answer, catalogue)
    key = f"look.{screen.look}"
    line = catalogue.text(f"{key}.line")
    if screen.look is Look.IDLE:
        return (screen.title, line) if screen.title else (catalogue.text(f"{key}.title"), "")
    if screen.look is Look.ENROLLING and screen.fault:
        line = catalogue.find(f"{key}.{screen.fault}") or line
    if screen.look is Look.OUT_OF_SERVICE:
        line = catalogue.find(f"fault.{screen.fault}.line") or line
    return catalogue.text(f"{key}.title"), line


def _answer_words(screen: Screen, answer: Answer, catalogue: "_Catalogue") -> tuple[str, str]:
    key = f"answer.{answer}"
    if answer is Answer.GRANTED and screen.direction is Direction.EXIT:
        key += ".exit"
    if asks_attention(screen):
        whose = _whose(screen) if _to_check(screen) else ""
        return catalogue.text(f"{key}.title"), whose or catalogue.text(f"{_ATTENTION}.line")
    says_it_already = goes_anyway(screen) or (screen.detail and catalogue.find(f"{key}.detail"))
    return catalogue.text(f"{key}.title"), "" if says_it_already else catalogue.text(f"{key}.line")


def _title_before(screen: Screen, catalogue: "_Catalogue") -> str | None:
    """Give the title that the detail completes, or None where there is none."""
    answer = answer_of(screen)
    if answer is None or not screen.detail or goes_anyway(screen):
        return None
    return catalogue.find(f"answer.{answer}.title_before")


def _detail(screen: Screen, catalogue: "_Catalogue") -> str:
    if screen.look is Look.ENROLLING:
        return screen.title.replace(" ", _UNBROKEN)  # digits in groups stay on one line
    if goes_anyway(screen):
        return _joined(catalogue.text("passage.anyway"), screen.detail, _gate(screen, catalogue))
    if screen.look is Look.IDLE and screen.doors:
        doors = catalogue.text("look.idle.doors").replace("{time}", screen.doors)
        return _joined(screen.fault, screen.detail, doors)
    answer = answer_of(screen)
    if answer is Answer.GRANTED:
        check = _to_check(screen)
        if check:
            return catalogue.text(f"{_ATTENTION}.detail").replace("{detail}", check)
        return _whose(screen)
    around = catalogue.find(f"answer.{answer}.detail") if screen.detail else None
    detail = around.replace("{detail}", screen.detail) if around else screen.detail
    return _joined(screen.fault, detail, _gate(screen, catalogue))


def _to_check(screen: Screen) -> str:
    return _joined(*(text for text in screen.attention if text != NOTHING_MORE))


def _whose(screen: Screen) -> str:
    return _joined(screen.holder, screen.detail, screen.seat)


def _gate(screen: Screen, catalogue: "_Catalogue") -> str:
    if screen.gate is None:
        return ""
    return screen.gate or catalogue.text("gate.here")


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


class _Catalogue:
    """One language's words."""

    def __init__(self, language: str) -> None:
        self._messages = _load(check_language(language))

    def find(self, key: str) -> str | None:
        text = self._messages.gettext(key)
        return None if text == key else text

    def text(self, key: str) -> str:
        text = self.find(key)
        if text is None:
            raise KeyError(f"the catalogue has no {key}")
        return text

    def number(self, number: int) -> str:
        return f"{number:,}".replace(",", self.text("number.group")).replace("-", "−")

    def age(self, minutes: int) -> str:
        hours, rest = divmod(minutes, 60)
        if hours >= _DAYS_FROM_H:
            return self.text("age.days").replace("{days}", self.number(hours // 24))
        if hours:
            text = self.text("age.hours").replace("{hours}", str(hours))
            return text.replace("{minutes}", f"{rest:02}")
        return self.text("age.minutes").replace("{minutes}", str(minutes))

    def people(self, count: int) -> str:
        form = self._messages.ngettext("occupancy.one", "occupancy.many", abs(count))
        return form.format(count=self.number(count))


@lru_cache(maxsize=len(LANGUAGES))
def _load(language: str) -> GNUTranslations:
    found = translation("gate", localedir=_CATALOGUES, languages=[language])
    if not isinstance(found, GNUTranslations):
        raise TypeError(f"the catalogue of {language} holds no messages")
    return found
