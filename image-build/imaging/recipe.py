"""What one run of the builder was asked for, with what the repository says about it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imaging.errors import RecipeError
from imaging.flavours import Flavour, Machine, compatible, read_flavour
from imaging.layout import Layout, read_layout
from imaging.packages import Vendor

FOLDER: Final = Path(__file__).resolve().parent.parent
REPOSITORY: Final = FOLDER.parent
# The relay of the frame in docs/operations/turnstile-frame.md, and the second one of an exit.
REST_PINS: Final = "17=dl,27=dl"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One image.

    Attributes:
        flavour, machine, layout: see there.
        version: of the image, "MAJOR.MINOR.PATCH+BUILD".
        out: where it is put.
        epoch: seconds since 1970; nothing in it is younger.
        vendor: the vendor's archive; None for flavours that want none.
        keyring: certificates that bundles are signed under; None takes no updates.
        rest_pins: "17=dl": a pin, and the level that its relay rests at ("dl" low, "dh" high).
        console: where the kernel speaks; the flavour's by default.
    """

    flavour: Flavour
    machine: Machine
    layout: Layout
    version: str
    out: Path
    epoch: int
    vendor: Vendor | None = None
    keyring: Path | None = None
    rest_pins: tuple[tuple[int, str], ...] = ()
    console: str = ""

    @property
    def compatible(self) -> str:
        """The machines that it, and its bundles, are for."""
        return compatible(self.flavour.name, self.machine.arch)

    @property
    def name(self) -> str:
        """How its files are called."""
        return f"{self.compatible}-{self.version}"


def layout_of_repository() -> Layout:
    """Read layout.toml."""
    return read_layout(FOLDER / "layout.toml")


def flavour_of_repository(name: str) -> Flavour:
    """Read a flavour.

    Raises:
        RecipeError: if there is none of that name.
    """
    path = FOLDER / "flavours" / f"{name}.toml"
    if not path.exists():
        raise RecipeError(f"no flavour {name}: there is none of that name in image-build/flavours")
    return read_flavour(path)


def rest_pins(text: str) -> tuple[tuple[int, str], ...]:
    """Read "17=dl,27=dl".

    Raises:
        RecipeError: if it reads otherwise.
    """
    pins = []
    for word in filter(None, text.split(",")):
        number, _, level = word.partition("=")
        if not number.isdigit() or not 0 <= int(number) <= 27 or level not in {"dl", "dh"}:
            raise RecipeError(f'pins at rest read "17=dl,27=dh", with BCM numbers, not {word}')
        pins.append((int(number), level))
    return tuple(pins)
