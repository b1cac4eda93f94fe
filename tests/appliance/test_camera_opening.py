"""Cameras are opened as the configuration has them, their decoder in the place that it names."""

import sys
from contextlib import AsyncExitStack
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from appliance.config import load_config
from appliance.drivers import Drivers
from appliance.errors import ConfigError
from appliance.page_ports import Glimpses
from appliance.readers.camera import CameraReader
from appliance.readers.chain import ChainDecoder
from appliance.readers.decoder_process import ProcessDecoder
from appliance.readers.decoding import Frame
from appliance.readers.folder import load_picture
from appliance.simulator.ticket_pictures import draw_code, save_picture
from appliance.simulator.virtual_clock import VirtualClock

KINDS = {
    "camera": "",
    "webcam": 'device = "/dev/video0"\n',
    "clip": 'clip = "night.mjpeg"\n',
    "folder": 'folder = "{folder}"\n',
}


async def opened(tmp_path: Path, stack: AsyncExitStack, kind: str, more: str = "") -> CameraReader:
    path = tmp_path / "gate.toml"
    keys = KINDS[kind].format(folder=tmp_path / "pictures")
    path.write_text(f'data = "d"\n[[readers]]\nkind = "{kind}"\n{keys}{more}', "utf-8")
    (reader,) = Drivers(load_config(path), VirtualClock(), stack).open_readers()
    assert isinstance(reader, CameraReader)
    return reader


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", ModuleType("picamera2"))


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_opens_with_its_decoder_apart_and_shows_the_page_what_it_sees(
    kind: str, tmp_path: Path, picamera2: None
):
    async with AsyncExitStack() as stack:
        reader = await opened(tmp_path, stack, kind)
        assert isinstance(reader, Glimpses)
        assert isinstance(reader._decoder, ProcessDecoder)


async def test_the_decoder_may_be_kept_in_the_gates_own_process(tmp_path: Path):
    async with AsyncExitStack() as stack:
        reader = await opened(tmp_path, stack, "folder", 'decoder = "thread"\n')
        assert isinstance(reader._decoder, ChainDecoder)


@pytest.mark.parametrize("decoder", ["process", "thread"])
async def test_what_the_configuration_opens_reads_a_ticket_and_leaves_no_process(
    decoder: str, tmp_path: Path
):
    async with AsyncExitStack() as stack:
        reader = await opened(tmp_path, stack, "folder", f'decoder = "{decoder}"\n')
        save_picture(draw_code(b"T1"), tmp_path / "1.png")
        frame = Frame(load_picture(tmp_path / "1.png"), 0)
        assert [read.data for read in reader._decoder.decode(frame)] == [b"T1"]
        assert len(psutil.Process().children()) == (decoder == "process")
    assert psutil.Process().children() == []


async def test_an_unknown_symbology_is_told_with_the_readers_name(tmp_path: Path):
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError, match=r"readers: folder: unknown symbology 'QRX'"):
            await opened(tmp_path, stack, "folder", 'symbologies = ["QRX"]\n')
