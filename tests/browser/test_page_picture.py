"""The picture of the live page that the documentation shows."""

import asyncio
import io

import pytest
from PIL import Image

from portillon import page_picture
from portillon.page_picture import HEIGHT_PX, WIDTH_PX, NoBrowserError, write_page_picture

LOGIN = "lea@theatre.example"
PASSWORD = "correct horse battery"


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("dark", [False, True])
async def test_a_picture_of_the_live_page_is_written(site, tmp_path, dark):
    path = tmp_path / "page.png"
    await asyncio.to_thread(write_page_picture, site.address, LOGIN, PASSWORD, path, dark=dark)
    picture = Image.open(io.BytesIO(path.read_bytes())).convert("L")
    assert picture.size == (WIDTH_PX, HEIGHT_PX)
    corner = picture.getpixel((WIDTH_PX - 2, HEIGHT_PX - 2))
    assert (corner < 128) == dark


def test_without_a_browser_it_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setattr(page_picture.shutil, "which", lambda name: None)
    with pytest.raises(NoBrowserError, match="apt-get install chromium"):
        write_page_picture("http://127.0.0.1:1", LOGIN, PASSWORD, tmp_path / "page.png")
