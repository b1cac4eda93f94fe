"""A form that was sent: what was typed, and what is wrong with it. Called by handlers.

A page that holds several forms shows the sent one again with its values and its errors, each
beside its field and once more in the summary at the head.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from sync_server.errors import InvalidError, ServerError
from sync_server.web.back_office.forms import Form
from sync_server.web.rendering import Words

NAME_CHARACTERS_MAX: Final = 120
CAPACITY_MAX: Final = 1_000_000
REASON_CHARACTERS_MAX: Final = 200


@dataclass(slots=True)
class Draft:
    """One form of a page, as it was sent.

    Attributes:
        name: which form; "" when none was sent. Fields are called `name-field` in the page.
        form: what was typed.
        errors: (field, what is wrong), in the order of the fields; "" for the form as a whole.
    """

    name: str = ""
    form: Form = field(default_factory=lambda: Form([]))
    errors: list[tuple[str, str]] = field(default_factory=list)

    def value(self, form_name: str, field_name: str, otherwise: str = "") -> str:
        """Give what a field shows: what was typed, if its form was the one sent."""
        return self.form.raw(field_name) if form_name == self.name else otherwise

    def ticked(self, form_name: str, field_name: str, value: str, *, otherwise: bool) -> bool:
        """Tell whether a box shows a tick."""
        if form_name != self.name:
            return otherwise
        return value in self.form.every(field_name)

    def error(self, form_name: str, field_name: str) -> str:
        """Give what is wrong with a field, or ""."""
        if form_name != self.name:
            return ""
        return next((text for name, text in self.errors if name == field_name), "")


class Check:
    """Reads a form's fields and notes what is wrong with them, in the reader's language."""

    def __init__(self, name: str, form: Form, words: Words) -> None:
        self.draft = Draft(name, form)
        self._form = form
        self._words = words

    @property
    def is_good(self) -> bool:
        """Whether nothing was found wrong so far."""
        return not self.draft.errors

    def wrong(self, field_name: str, text: str) -> None:
        """Note that a field is wrong."""
        self.draft.errors.append((field_name, text))

    def refused(self, exc: ServerError) -> None:
        """Note what a service refused: in the reader's language where the code is known."""
        text = self._words.known("error", exc.code) or exc.message
        self.wrong(exc.field if isinstance(exc, InvalidError) else "", text)

    def name(self, field_name: str) -> str:
        """Read a name: 1 to NAME_CHARACTERS_MAX characters of one line."""
        text = self._form.text(field_name)
        if not text:
            self.wrong(field_name, self._words("Enter a name."))
        elif len(text) > NAME_CHARACTERS_MAX or not text.isprintable():
            self.wrong(
                field_name,
                self._words(
                    "A name is one line of at most %(most)s characters.", most=NAME_CHARACTERS_MAX
                ),
            )
        return text

    def reason(self, field_name: str) -> str:
        """Read the reason of a decision that is kept for good."""
        text = self._form.text(field_name)
        if not text:
            self.wrong(field_name, self._words("Say why: it is kept with the decision."))
        elif len(text) > REASON_CHARACTERS_MAX or not text.isprintable():
            self.wrong(
                field_name,
                self._words(
                    "A reason is one line of at most %(most)s characters.",
                    most=REASON_CHARACTERS_MAX,
                ),
            )
        return text

    def number(self, field_name: str) -> str:
        """Read a ticket number as it was typed."""
        text = self._form.raw(field_name)
        if not text.strip():
            self.wrong(field_name, self._words("Enter the ticket number."))
        return text

    def timezone(self, field_name: str) -> str:
        """Read the name of a time zone."""
        text = self._form.text(field_name)
        if text not in available_timezones():
            self.wrong(
                field_name,
                self._words(
                    "Choose a time zone of the list, such as %(zone)s.", zone="Europe/Paris"
                ),
            )
        return text

    def capacity(self, field_name: str) -> int | None:
        """Read a number of people; empty is no limit."""
        text = self._form.text(field_name)
        if not text:
            return None
        if not (text.isascii() and text.isdigit()) or int(text[:9]) > CAPACITY_MAX:
            self.wrong(
                field_name,
                self._words("A capacity is a whole number, or empty for no limit."),
            )
            return None
        return int(text[:9])

    def count(self, field_name: str, most: int) -> int:
        """Read a whole number from 1."""
        text = self._form.text(field_name)
        if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= most:
            self.wrong(
                field_name, self._words("Enter a whole number from 1 to %(most)s.", most=most)
            )
            return 1
        return int(text[:9])

    def start(self, field_name: str, timezone: str) -> int | None:
        """Read a date and time on the venue's clock; empty is open-dated.

        Returns:
            Wall-clock milliseconds, or None.
        """
        text = self._form.text(field_name)
        if not text:
            return None
        try:
            at = datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=ZoneInfo(timezone))
            return round(at.timestamp() * 1000)
        except (ValueError, OverflowError):
            self.wrong(field_name, self._words("Enter a date and a time, or leave both empty."))
            return None
