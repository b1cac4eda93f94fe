"""What a whole file's numbers look like: digits that were lost on the way."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from sync_server.errors import TicketFileError
from sync_server.ticket_ports import FileNote

SPREADSHEET_DIGITS: Final = 15  # a spreadsheet's number holds no more
LONG_NUMBERS_MIN: Final = 3  # so many that end in zeros by chance: one in a billion
USUAL_SHARE: Final = 0.9


class Survey:
    """Takes every good number in, then says what is odd about them."""

    def __init__(self) -> None:
        self._lengths: Counter[int] = Counter()
        self._count = 0
        self._with_zero = 0
        self._long = 0
        self._long_cut = 0

    def add(self, number: str) -> None:
        """Take a number in."""
        self._count += 1
        if not (number.isascii() and number.isdigit()):
            return
        length = len(number)
        self._lengths[length] += 1
        if number[0] == "0":
            self._with_zero += 1
        if length > SPREADSHEET_DIGITS:
            self._long += 1
            self._long_cut += not number[SPREADSHEET_DIGITS:].strip("0")

    def notes(self) -> Iterator[FileNote]:
        """Say what a person should look at.

        Raises:
            TicketFileError: if every long number has lost its last digits.
        """
        if self._long >= LONG_NUMBERS_MIN and self._long == self._long_cut:
            raise TicketFileError(
                "digits_lost",
                f"every ticket number of more than {SPREADSHEET_DIGITS} digits ends in zeros:"
                " a spreadsheet has rounded them; export again with the column formatted as text",
            )
        if self._lengths.total() != self._count or not self._count:
            return
        usual, often = self._lengths.most_common(1)[0]
        shorter = sum(n for length, n in self._lengths.items() if length < usual)
        if shorter and often >= USUAL_SHARE * self._count and not self._with_zero:
            yield FileNote(
                "zeros_lost",
                f"{shorter} ticket numbers are shorter than the other {often}: a spreadsheet may"
                " have removed zeros at their beginning",
            )
