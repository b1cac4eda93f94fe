"""Recipes and small trees for the tests of the image's builder."""

from pathlib import Path

from imaging.recipe import Recipe, flavour_of_repository, layout_of_repository, rest_pins

EPOCH = 1_700_000_000


def recipe(
    out: Path, *, arch: str = "amd64", pins: str = "17=dl", keyring: Path | None = None
) -> Recipe:
    """Give a recipe of flavour debian."""
    flavour = flavour_of_repository("debian")
    return Recipe(
        flavour=flavour,
        machine=flavour.machine(arch),
        layout=layout_of_repository(),
        version="0.2.0+7",
        out=out,
        epoch=EPOCH,
        keyring=keyring,
        rest_pins=rest_pins(pins),
    )


def put(tree: Path, files: dict[str, str]) -> None:
    """Put files into a tree."""
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
