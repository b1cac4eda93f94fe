"""A display that is a picture in memory, and light and sound that are a record.

Bound by `main` for demonstrations: the live page shows the pictures. Tests read what was shown.
"""

import asyncio
from collections import deque
from io import BytesIO
from typing import Final

from appliance.displays.screens import draw
from appliance.displays.signals import DARK, Flash, Pattern, pattern_of
from appliance.displays.words import check_language, spoken
from appliance.ports import Screen

_PATTERNS_KEPT: Final = 256  # enough for any test; a demonstration may run all day
_QUICK: Final = 1  # half the time of the usual level; a third larger, on loopback
_REST: Final = Pattern((Flash(DARK, 1.0),))


class PictureDisplay:
    """The port `Display`, and what the live page wants of it.

    Attributes:
        png: the picture shown now.
        text: the same in words, for a screen reader.
        revision: counts the pictures from 1; 0 while nothing was shown yet.
        language: of the text and the picture now.
    """

    def __init__(
        self, language: str, size: tuple[int, int] = (800, 480), others: tuple[str, ...] = ()
    ) -> None:
        """Make a display that is blank at first.

        Args:
            language: of the texts.
            size: width and height, pixels.
            others: further languages, which take turns as `Screen.tongue` counts.

        Raises:
            ValueError: if there are no words in a language.
        """
        self._languages = tuple(check_language(one) for one in (language, *others))
        self.language = self._languages[0]
        self.png = b""
        self.text = ""
        self.revision = 0
        self._size = size
        self._screen: Screen | None = None
        self._changed = asyncio.Condition()

    async def show(self, screen: Screen) -> None:
        """Draw a screen; the same as before is no new picture.

        Cancel: the picture before stays.
        """
        async with self._changed:
            if screen == self._screen:
                return
            language = self._languages[screen.tongue % len(self._languages)]
            self.png = await asyncio.to_thread(_png, screen, language, self._size)
            self.language, self.text = language, spoken(screen, language)
            self.revision += 1
            self._screen = screen
            self._changed.notify_all()

    async def wait_after(self, revision: int) -> None:
        """Wait until a picture later than that revision is shown.

        Cancel: ends the wait.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self.revision > revision)


class RecordedSignals:
    """The port `Signals`: remembers what would have been seen and heard.

    Attributes:
        now: what plays now.
        history: the last patterns, oldest first, `rest` included.
    """

    def __init__(self) -> None:
        self.now = _REST
        self.history: deque[Pattern] = deque(maxlen=_PATTERNS_KEPT)

    async def signal(self, screen: Screen) -> None:
        """Note the light and sound of a screen."""
        self._play(pattern_of(screen))

    def rest(self) -> None:
        """Note that all is dark and silent."""
        self._play(_REST)

    def _play(self, pattern: Pattern) -> None:
        self.now = pattern
        self.history.append(pattern)


def _png(screen: Screen, language: str, size: tuple[int, int]) -> bytes:
    file = BytesIO()
    draw(screen, language, size, "RGB").save(file, "PNG", compress_level=_QUICK)
    return file.getvalue()
