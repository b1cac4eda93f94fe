"""A screen in the words of a visitor's language, for the gate's own pages. Pure."""

from typing import Final

from appliance.displays.appearance import appearance_of, asks_attention
from appliance.displays.palette import Hue
from appliance.displays.words import words_of
from appliance.ports import Screen
from appliance.steward_ports import Told

_TONES: Final = {
    Hue.GREEN: "good",
    Hue.BLUE: "look",
    Hue.YELLOW: "wait",
    Hue.ORANGE: "wait",
    Hue.RED: "stop",
}


def told(screen: Screen, language: str) -> Told:
    """Give what a screen says.

    Args:
        screen: what is shown.
        language: `fr`, `en`.

    Raises:
        ValueError: if there is no such catalogue.
    """
    words = words_of(screen, language)
    title = f"{words.title} {words.detail}" if words.one_sentence else words.title
    detail = "" if words.one_sentence else words.detail
    tone = "look" if asks_attention(screen) else _TONES.get(appearance_of(screen).hue, "still")
    return Told(tone, title, detail, words.line)
