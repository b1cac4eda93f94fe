"""Light and sound of every screen, as tables. Called by the drivers of lamps and buzzers.

Pure: knows no pin and no clock. Each outcome has a light and a rhythm of its own, so that people
who do not see, do not hear, or do not tell colours apart get it all the same. Nothing flashes
faster than FLASH_HZ_MAX. A full light that stays is "go" and nothing else: whoever takes red or
amber for green sees the others go on and off, each kind in its own way. Sounds stay between
TONE_HZ_MIN and TONE_HZ_MAX, where small buzzers are loud and old ears still hear; "go" is high,
"no" is low, and their rhythms differ where a buzzer has one pitch only.
"""

from dataclasses import dataclass
from typing import Final

from admission.scan import Direction
from appliance.displays.appearance import appearance_of, asks_attention, goes_anyway
from appliance.displays.palette import Hue
from appliance.ports import Look, Screen

FLASH_HZ_MAX: Final = 3.0  # WCAG 2.2, success criterion 2.3.1
TONE_HZ_MIN: Final = 500
TONE_HZ_MAX: Final = 3000

Rgb = tuple[float, float, float]

DARK: Final[Rgb] = (0.0, 0.0, 0.0)
GREEN: Final[Rgb] = (0.0, 1.0, 0.0)
AMBER: Final[Rgb] = (1.0, 0.6, 0.0)
RED: Final[Rgb] = (1.0, 0.0, 0.0)
BLUE: Final[Rgb] = (0.0, 0.0, 1.0)
WHITE: Final[Rgb] = (1.0, 1.0, 1.0)
DIM_WHITE: Final[Rgb] = (0.15, 0.15, 0.15)


@dataclass(frozen=True, slots=True)
class Flash:
    """A colour for a time; for ever if it is the only one of its light."""

    colour: Rgb
    seconds: float


@dataclass(frozen=True, slots=True)
class Tone:
    """A tone for a time; silence at 0 Hz."""

    hz: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Pattern:
    """What is seen and heard.

    Attributes:
        light: one colour that stays, or several that take turns for ever.
        sound: played once; none is silence.
    """

    light: tuple[Flash, ...]
    sound: tuple[Tone, ...] = ()


def _steady(colour: Rgb) -> tuple[Flash, ...]:
    return (Flash(colour, 1.0),)


def _in_turn(one: Rgb, other: Rgb, hz: float) -> tuple[Flash, ...]:
    half_s = 0.5 / hz
    return (Flash(one, half_s), Flash(other, half_s))


def _twice(colour: Rgb) -> tuple[Flash, ...]:
    """Two flashes and a pause."""
    return (Flash(colour, 0.2), Flash(DARK, 0.2), Flash(colour, 0.2), Flash(DARK, 0.7))


def _apart(one: Flash, other: Flash) -> tuple[Flash, ...]:
    """Two colours in turn with the dark between, without which a lamp in grey would only stay."""
    return (one, Flash(DARK, 0.2), other, Flash(DARK, 0.2))


_CLOSED: Final = _apart(Flash(WHITE, 0.8), Flash(RED, 0.8))
_RISING: Final = (Tone(1047, 0.075), Tone(1568, 0.075))
_RISING_LOW: Final = (Tone(784, 0.075), Tone(1047, 0.075))
_TWO_LOW: Final = (Tone(587, 0.2), Tone(0, 0.1), Tone(587, 0.2))
_THREE_SHORT: Final = (
    Tone(1319, 0.08),
    Tone(0, 0.08),
    Tone(1319, 0.08),
    Tone(0, 0.08),
    Tone(1319, 0.08),
)
_ONE_LONG_LOW: Final = (Tone(523, 0.5),)
_LONG_AND_TWO_SHORT: Final = (
    Tone(587, 0.4),
    Tone(0, 0.1),
    Tone(587, 0.1),
    Tone(0, 0.1),
    Tone(587, 0.1),
)
_SHORT_AND_LONG: Final = (Tone(587, 0.1), Tone(0, 0.1), Tone(587, 0.35))

_LOOKS: Final[dict[Look, Pattern]] = {
    Look.STARTING: Pattern(_in_turn(WHITE, DARK, 0.5)),
    Look.SELF_TEST: Pattern(_in_turn(WHITE, DARK, 0.5)),
    Look.ENROLLING: Pattern(_in_turn(BLUE, DARK, 0.5)),
    Look.WAITING_LIST: Pattern(_in_turn(WHITE, DARK, 0.5)),
    Look.IDLE: Pattern(_steady(DIM_WHITE)),
    Look.READING: Pattern(_in_turn(WHITE, DARK, 1.0)),
    Look.HOLD_STILL: Pattern(_in_turn(WHITE, DIM_WHITE, 1.0)),
    Look.PLEASE_PASS: Pattern(_steady(GREEN)),
    Look.PASSED: Pattern(_steady(DIM_WHITE)),
    Look.NOT_PASSED: Pattern(_in_turn(WHITE, DIM_WHITE, 0.5), _SHORT_AND_LONG),
    Look.OUT_OF_SERVICE: Pattern(_CLOSED),
    Look.FREE_PASSAGE: Pattern(_in_turn(GREEN, DARK, 1.0)),
    Look.LOCKED_DOWN: Pattern(_in_turn(RED, DARK, 1.0), _ONE_LONG_LOW),
}
_GRANTED: Final[dict[Direction, Pattern]] = {
    Direction.ENTRY: Pattern(_steady(GREEN), _RISING),
    Direction.EXIT: Pattern(_steady(GREEN), _RISING_LOW),
}
_ATTENTION: Final = Pattern(_apart(Flash(GREEN, 0.7), Flash(AMBER, 0.4)), _THREE_SHORT)
_DENIED: Final[dict[Hue, Pattern]] = {
    Hue.YELLOW: Pattern(_in_turn(AMBER, DARK, 1.0), _TWO_LOW),
    Hue.ORANGE: Pattern(_twice(AMBER), _TWO_LOW),
    Hue.RED: Pattern(_in_turn(RED, DARK, 2.0), _ONE_LONG_LOW),
    Hue.BLUE: Pattern(_in_turn(BLUE, DARK, 0.7), _LONG_AND_TWO_SHORT),
    Hue.BLACK: Pattern(_CLOSED, _ONE_LONG_LOW),
}


def pattern_of(screen: Screen) -> Pattern:
    """Give the light and the sound of a screen.

    Raises:
        ValueError: if the screen is a refusal without a reason.
    """
    if goes_anyway(screen) or asks_attention(screen):
        return _ATTENTION
    if screen.look is Look.GRANTED:
        return _GRANTED[screen.direction]
    if screen.look is Look.DENIED:
        return _DENIED[appearance_of(screen).hue]
    return _LOOKS[screen.look]
