"""`image-build/portillon-image`: builds the image that a gate's card is written with."""

import argparse
import os
import re
import sys
import time
from pathlib import Path
from typing import Final

from imaging.building import Building, boot_texts
from imaging.errors import BuildError, RecipeError
from imaging.flavours import ARCHES
from imaging.generated import fstab, rauc_system, sgdisk_arguments
from imaging.packages import Vendor
from imaging.recipe import (
    REPOSITORY,
    REST_PINS,
    Recipe,
    flavour_of_repository,
    layout_of_repository,
    rest_pins,
)
from imaging.running import missing, run

_VERSION: Final = re.compile(r"\d+\.\d+\.\d+(\+\d+)?")


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    made = argparse.ArgumentParser(
        prog="portillon-image",
        description="Build the image that a gate's card is written with. "
        "Needs root, for the owners of files; see docs/operations/image.md.",
    )
    made.add_argument("--flavour", choices=("debian", "rpi"), default="debian")
    made.add_argument("--arch", choices=ARCHES, default="arm64")
    made.add_argument("--version", required=True, metavar="V", help="MAJOR.MINOR.PATCH or …+BUILD")
    made.add_argument("--out", type=Path, default=REPOSITORY / "var/image", metavar="DIR")
    made.add_argument(
        "--keyring", type=Path, metavar="PEM", help="whose bundles it takes; without, none"
    )
    made.add_argument(
        "--rest-pins", default=REST_PINS, metavar="PINS", help=f"relays at rest; {REST_PINS}"
    )
    made.add_argument("--console", default="", help="where the kernel speaks, as ttyS0")
    made.add_argument("--vendor-archive", metavar="ADDRESS", help="for flavour rpi")
    made.add_argument("--vendor-keys", type=Path, metavar="FILE", help="which sign that archive")
    made.add_argument(
        "--plan", action="store_true", help="print what would be done, and do nothing"
    )
    return made


def recipe_of(arguments: argparse.Namespace) -> Recipe:
    """Check the arguments.

    Raises:
        RecipeError: if one is not as it has to be.
    """
    if not _VERSION.fullmatch(arguments.version):
        raise RecipeError(f"--version reads 0.2.0 or 0.2.0+7, not {arguments.version}")
    flavour = flavour_of_repository(arguments.flavour)
    if bool(arguments.vendor_archive) != bool(arguments.vendor_keys):
        raise RecipeError("--vendor-archive and --vendor-keys go together")
    for path in (arguments.keyring, arguments.vendor_keys):
        if path is not None and not path.is_file():
            raise RecipeError(f"{path}: no such file")
    vendor = None
    if arguments.vendor_archive:
        vendor = Vendor(arguments.vendor_archive, arguments.vendor_keys.resolve())
    return Recipe(
        flavour=flavour,
        machine=flavour.machine(arguments.arch),
        layout=layout_of_repository(),
        version=arguments.version,
        out=arguments.out.resolve(),
        epoch=epoch(),
        vendor=vendor,
        keyring=arguments.keyring,
        rest_pins=rest_pins(arguments.rest_pins),
        console=arguments.console,
    )


def epoch() -> int:
    """Give the time that nothing is younger than: SOURCE_DATE_EPOCH, or the last commit's."""
    said = os.environ.get("SOURCE_DATE_EPOCH") or run(
        ["git", "-C", REPOSITORY, "log", "-1", "--format=%ct"]
    )
    return int(said)


def plan(recipe: Recipe) -> str:
    """Tell what would be done, and what would be written."""
    building = Building(recipe, recipe.out / "work", print)
    lines = [f"{recipe.name}, for {', '.join(recipe.machine.boards)}"]
    if recipe.flavour.experimental:
        lines.append("EXPERIMENTAL: nobody has reported a start of this flavour yet")
    lines += [f"{number}. {words}" for number, (words, _) in enumerate(building.steps(), start=1)]
    shown = {
        "packages": " ".join(recipe.flavour.packages) + "\n",
        "sgdisk": " ".join(sgdisk_arguments(recipe.layout)) + "\n",
        "/etc/fstab": fstab(recipe.layout),
        "/etc/rauc/system.conf": rauc_system(recipe.layout, recipe.compatible),
        **boot_texts(recipe),
    }
    return (
        "\n".join(lines) + "\n" + "".join(f"\n--- {name}\n{text}" for name, text in shown.items())
    )


def check_machine() -> None:
    """Check that an image can be built here.

    Raises:
        BuildError: if a program is missing, or the right to give files to others.
    """
    if packages := missing():
        raise BuildError(f"missing: {', '.join(packages)}. Run: tools/setup image")
    if os.geteuid() != 0:
        raise BuildError("needs root, for the owners of files")


def main() -> int:
    """Build, or print the plan; exit status 1 if it cannot be done, 2 for wrong arguments."""
    arguments = parser().parse_args()
    began = time.monotonic()

    def say(words: str) -> None:
        print(f"image: {time.monotonic() - began:5.0f} s  {words}", file=sys.stderr, flush=True)

    try:
        recipe = recipe_of(arguments)
        if arguments.plan:
            print(plan(recipe), end="")
            return 0
        check_machine()
        image = Building(recipe, recipe.out / f"work-{recipe.name}", say).run()
    except RecipeError as exc:
        print(f"portillon-image: {exc}", file=sys.stderr)
        return 2
    except BuildError as exc:
        print(f"portillon-image: {exc}", file=sys.stderr)
        return 1
    say(f"ready: {image}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
