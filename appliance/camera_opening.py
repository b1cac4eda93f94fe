"""Opens cameras and what stands in for one, as the configuration has them. Called by `drivers`."""

import asyncio
import importlib.util
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from admission.scan import Direction
from appliance.camera_config import CameraConfig
from appliance.config import Config, ReaderConfig
from appliance.errors import ConfigError
from appliance.ports import Clock, Reader

if TYPE_CHECKING:
    from appliance.readers.decoding import Decoder, Decoding
    from appliance.readers.frames import OpensFrames

log = logging.getLogger(__name__)

# picamera2 knows each board's camera best, but not every system has it; it stands on libcamera
CAMERA_LIBRARIES: Final = ("picamera2", "libcamera")


class Opening(Protocol):
    """What a camera is opened with.

    Attributes:
        config: the checked configuration.
        clock: the machine's.
        stack: closes what was opened.
        tell_unread: told of every look that finds a code which cannot be read.
    """

    config: Config
    clock: Clock
    stack: AsyncExitStack
    tell_unread: Callable[[Direction], None]

    def worker(self) -> ThreadPoolExecutor:
        """Give a thread for a camera's frames."""
        ...


def open_camera(opening: Opening, config: ReaderConfig) -> Reader:
    """Open a reader that has pictures.

    Raises:
        ConfigError: if it cannot be as it is configured, or its library is missing.
    """
    worker = opening.worker()
    open_frames = FRAMES[config.kind](opening, config, worker)
    return _image_reader(opening, config, open_frames, worker)


def _open_own_camera(
    opening: Opening, config: ReaderConfig, worker: ThreadPoolExecutor
) -> "OpensFrames":
    from appliance.readers.camera_settings import CameraSettings
    from appliance.readers.libcamera_bindings import LibcameraFrames
    from appliance.readers.picamera import PicameraFrames

    camera = config.camera
    settings = CameraSettings(
        number=camera.camera,
        width=camera.width,
        height=camera.height,
        frames_per_s=camera.frames_per_s,
        exposure_us=camera.exposure_us,
        gain=camera.gain,
        lens_position=camera.lens_position,
        buffers=camera.buffers,
    )
    library = next(filter(_is_installed, CAMERA_LIBRARIES), CAMERA_LIBRARIES[0])
    log.info("camera library", extra={"reader": config.name, "library": library})
    if library == "libcamera":
        return LibcameraFrames(settings, worker, opening.clock).open
    return PicameraFrames(settings, opening.clock).open  # picamera2 has a thread of its own


def _is_installed(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except ValueError:  # it is kept from being imported
        return False


def _open_webcam(
    opening: Opening, config: ReaderConfig, worker: ThreadPoolExecutor
) -> "OpensFrames":
    from appliance.readers.webcam import Webcam, WebcamFrames

    camera = config.camera
    webcam = Webcam(camera.device, camera.width, camera.height, camera.frames_per_s)
    return WebcamFrames(webcam, worker, opening.clock).open


def _open_clip(opening: Opening, config: ReaderConfig, worker: ThreadPoolExecutor) -> "OpensFrames":
    from appliance.readers.clip import Clip, ClipFrames

    camera = config.camera
    if camera.clip is None:
        raise ConfigError(f"{opening.config.path}: readers: {config.name} has no clip")
    return ClipFrames(Clip(camera.clip, camera.frames_per_s), worker, opening.clock).open


def _open_folder(
    opening: Opening, config: ReaderConfig, worker: ThreadPoolExecutor
) -> "OpensFrames":
    from appliance.readers.folder import Folder, FolderFrames

    if config.folder is None:
        raise ConfigError(f"{opening.config.path}: readers: {config.name} has no folder")
    config.folder.mkdir(parents=True, exist_ok=True)
    return FolderFrames(Folder(config.folder), worker, opening.clock).open


FRAMES: Final[dict[str, Callable[[Opening, ReaderConfig, ThreadPoolExecutor], "OpensFrames"]]] = {
    "camera": _open_own_camera,
    "webcam": _open_webcam,
    "clip": _open_clip,
    "folder": _open_folder,
}


def _image_reader(
    opening: Opening, config: ReaderConfig, open_frames: "OpensFrames", worker: ThreadPoolExecutor
) -> Reader:
    from appliance.readers.camera import CameraReader, Looking
    from appliance.readers.region import Region

    decoder = _decoder(opening, config.camera, _decoding(opening, config))
    camera = config.camera
    left, top, width, height = camera.region_percent
    region = Region(left, top, width, height, camera.code_percent_min)
    looking = Looking(region, camera.confirm_refusals, camera.idle_frames_per_s)
    return CameraReader(
        config.name,
        config.direction,
        open_frames,
        decoder,
        worker,
        opening.clock,
        looking,
        opening.tell_unread,
    )


def _decoding(opening: Opening, config: ReaderConfig) -> "Decoding":
    from appliance.readers.decoding import Decoding, Strategy, symbologies_named

    decoding = Decoding()
    try:
        if config.symbologies:
            symbologies = symbologies_named(config.symbologies)
            decoding = Decoding(symbologies, frozenset(config.itf_lengths))
    except ValueError as exc:
        raise ConfigError(f"{opening.config.path}: readers: {config.name}: {exc}") from exc
    if config.linear_second_opinion:
        strategies = (*decoding.strategies, Strategy.SECOND_OPINION)
        decoding = replace(decoding, strategies=strategies)
    return decoding


def _decoder(opening: Opening, config: CameraConfig, decoding: "Decoding") -> "Decoder":
    from appliance.readers.chain import open_decoder
    from appliance.readers.decoder_process import ProcessDecoder

    in_thread = open_decoder(decoding)  # at the start, so that a missing library is told there
    if config.decoder == "thread":
        return in_thread
    in_process = ProcessDecoder(decoding, opening.clock, config.decode_s_max)
    opening.stack.push_async_callback(asyncio.to_thread, in_process.close)
    return in_process
