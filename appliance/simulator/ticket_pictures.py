"""Draws codes as a camera would see them on paper. Called by demonstrations and tests."""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import zxingcpp
from PIL import Image, ImageOps

_PIXELS_PER_MODULE: Final = 4  # a camera gate is set up for three and more
_MARGIN: Final = 40  # the quiet zone, and a little paper
_PAPER: Final = 255
_MATRIX: Final = frozenset({"QRCode", "Aztec", "DataMatrix", "PDF417"})


def draw_code(data: bytes, symbology: str = "QRCode") -> Image.Image:
    """Draw one code, black on white, in greys.

    Args:
        data: what it says; linear codes hold ASCII only.
        symbology: its kind, by the name that a `Payload` carries.

    Raises:
        ValueError: if the kind is unknown or cannot hold the data.
    """
    drawn = Image.fromarray(_barcode(data, symbology).to_image(scale=_PIXELS_PER_MODULE))
    return ImageOps.expand(drawn, _MARGIN, fill=_PAPER)


def draw_modules(data: bytes, symbology: str = "QRCode") -> npt.NDArray[np.uint8]:
    """Draw one code with one pixel a module and nothing around it; 0 is ink, 255 paper.

    Raises:
        ValueError: if the kind is unknown or cannot hold the data.
    """
    return np.array(_barcode(data, symbology).to_image(scale=1, add_quiet_zones=False), np.uint8)


def beside(*pictures: Image.Image) -> Image.Image:
    """Lay pictures side by side on white paper."""
    width = sum(picture.width for picture in pictures)
    paper = Image.new("L", (width, max(picture.height for picture in pictures)), _PAPER)
    left = 0
    for picture in pictures:
        paper.paste(picture, (left, 0))
        left += picture.width
    return paper


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture so that nobody who watches the folder sees a part of it.

    Args:
        picture: what to write.
        path: where to; the ending says which kind of file.
    """
    unfinished = path.with_name(path.name + ".tmp")
    picture.save(unfinished, format=Image.registered_extensions()[path.suffix])
    unfinished.replace(path)


def _barcode(data: bytes, symbology: str) -> zxingcpp.Barcode:
    content = data if symbology in _MATRIX else data.decode("ascii")
    return zxingcpp.create_barcode(content, zxingcpp.barcode_format_from_str(symbology))
