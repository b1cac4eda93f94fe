"""Cameras are opened as the configuration has them, their decoder in the place that it names."""

import sys
from contextlib import AsyncExitStack
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from appliance.camera_opening import CAMERA_LIBRARIES
from appliance.config import load_config
from appliance.drivers import Drivers
from appliance.errors import ConfigError
from appliance.page_ports import Glimpses
from appliance.readers.camera import CameraReader
from appliance.readers.chain import ChainDecoder
from appliance.readers.decoder_process import ProcessDecoder
from appliance.readers.decoding import Frame
from appliance.readers.folder import load_picture
from appliance.readers.libcamera_bindings import LibcameraFrames
from appliance.readers.picamera import PicameraFrames
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
    install(monkeypatch, "picamera2")


def install(monkeypatch: pytest.MonkeyPatch, library: str, is_there: bool = True) -> None:
    module = ModuleType(library)
    module.__spec__ = ModuleSpec(library, None)
    monkeypatch.setitem(sys.modules, library, module if is_there else None)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_opens_with_its_decoder_apart_and_shows_the_page_what_it_sees(
    kind: str, tmp_path: Path, picamera2: None
):
    async with AsyncExitStack() as stack:
        reader = await opened(tmp_path, stack, kind)
        assert isinstance(reader, Glimpses)
        assert isinstance(reader._decoder, ProcessDecoder)


@pytest.mark.parametrize(
    ("library", "used"),
    [
        ("picamera2", PicameraFrames),
        ("libcamera", LibcameraFrames),
    ],
)
async def test_a_camera_is_opened_by_picamera2_or_where_that_is_not_by_libcamera(
    library: str,
    used: type,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    for one in CAMERA_LIBRARIES:  # picamera2 stands on libcamera and is never without it
        install(monkeypatch, one, one in (library, "libcamera"))
    async with AsyncExitStack() as stack:
        reader = await opened(tmp_path, stack, "camera")
        assert isinstance(reader._open_frames.__self__, used)  # type: ignore[attr-defined]
    (chosen,) = [one for one in caplog.records if one.message == "camera library"]
    assert vars(chosen)["library"] == library


async def test_without_either_library_both_packages_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for library in CAMERA_LIBRARIES:
        install(monkeypatch, library, False)
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError, match=r"python3-picamera2 .*python3-libcamera"):
            await opened(tmp_path, stack, "camera")


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
