"""What a gate's configuration says of its cameras, and of what stands in for one.

Called by `config`. The keys stand in the table of their reader.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.config_section import Section

DECODER_PLACES: Final = ("process", "thread")
_LIVE: Final = frozenset({"camera", "webcam"})
_WHOLE: Final = (0, 0, 100, 100)


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """How pictures are taken and looked at.

    Attributes:
        camera: for `camera`, the number of the Raspberry Pi's.
        device: for `webcam`, which; by-id where possible.
        clip: for `clip`, the file.
        width, height: for `camera` and `webcam`, pixels asked for; a code wants three for each of
            its modules.
        frames_per_s: for `camera` and `webcam` likewise; for `clip`, how fast it plays.
        exposure_us: for `camera`, the shutter's time in microseconds; 0 leaves it to the camera.
        gain: for `camera`, of the sensor; 0 leaves it to the camera.
        lens_position: for `camera`, dioptres for a lens with a motor; None leaves the lens alone.
        buffers: for `camera`, how many pictures its driver holds memory for.
        idle_frames_per_s: how many pictures are looked at once nothing has changed for a minute.
        region_percent: left, top, width and height of what is looked at.
        code_percent_min: codes whose longer side is less of the picture's height do not count.
        confirm_refusals: equal reads, each on its own picture, that a refusal takes.
        decoder: one of DECODER_PLACES: where it runs.
        decode_s_max: seconds that it may take for a picture before it counts as hanging.
    """

    camera: int = 0
    device: str = ""
    clip: Path | None = None
    width: int = 1280
    height: int = 720
    frames_per_s: int = 30
    exposure_us: int = 4000
    gain: float = 0.0
    lens_position: float | None = None
    buffers: int = 4
    idle_frames_per_s: int = 10
    region_percent: tuple[int, int, int, int] = _WHOLE
    code_percent_min: int = 0
    confirm_refusals: int = 2
    decoder: str = "process"
    decode_s_max: float = 2.0


def read_camera(section: Section, kind: str) -> CameraConfig:
    """Read the keys of a reader that has pictures.

    Raises:
        ConfigError: naming file, key and remedy.
    """
    is_live, is_picamera = kind in _LIVE, kind == "camera"
    return CameraConfig(
        camera=section.integer("camera", 0, 0, 3) if is_picamera else 0,
        device=section.text("device") if kind == "webcam" else "",
        clip=Path(section.text("clip")) if kind == "clip" else None,
        width=_even(section, "width", 1280, 3840) if is_live else 1280,
        height=_even(section, "height", 720, 2160) if is_live else 720,
        frames_per_s=section.integer("frames_per_s", 30, 1, 120) if kind != "folder" else 30,
        exposure_us=section.integer("exposure_us", 4000, 0, 200_000) if is_picamera else 4000,
        gain=section.number("gain", 0.0, 0.0, 64.0) if is_picamera else 0.0,
        lens_position=_lens_position(section) if is_picamera else None,
        buffers=section.integer("buffers", 4, 2, 8) if is_picamera else 4,
        idle_frames_per_s=section.integer("idle_frames_per_s", 10, 1, 60),
        region_percent=_region(section),
        code_percent_min=section.integer("code_percent_min", 0, 0, 90),
        confirm_refusals=section.integer("confirm_refusals", 2, 1, 5),
        decoder=section.choice("decoder", DECODER_PLACES, "process"),
        decode_s_max=section.seconds("decode_s_max", 2.0, 0.2, 30.0),
    )


def _even(section: Section, key: str, default: int, most: int) -> int:
    pixels = section.integer(key, default, 64, most)
    if pixels % 2:
        raise section.error(key, f"{pixels} is odd, which no camera gives; write {pixels + 1}")
    return pixels


def _lens_position(section: Section) -> float | None:
    dioptres = section.number("lens_position", -1.0, -1.0, 32.0)
    return None if dioptres < 0 else dioptres


def _region(section: Section) -> tuple[int, int, int, int]:
    region = section.integers("region_percent", 0, 100) or _WHOLE
    if len(region) != len(_WHOLE):
        raise section.error("region_percent", "must be left, top, width, height; write four")
    left, top, width, height = region
    if not width or not height or left + width > _WHOLE[2] or top + height > _WHOLE[3]:
        raise section.error("region_percent", "reaches out of the picture or is empty; correct it")
    return left, top, width, height
