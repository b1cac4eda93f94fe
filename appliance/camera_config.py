"""What a gate's configuration says of its cameras, and of what stands in for one.

Called by `config`. The keys stand in the table of their reader.
"""

from dataclasses import dataclass
from typing import Final

from appliance.config_section import Section

DECODER_PLACES: Final = ("process", "thread")
_WHOLE: Final = (0, 0, 100, 100)


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """How pictures are taken and looked at.

    Attributes:
        camera: for `camera`, the number of the Raspberry Pi's.
        idle_frames_per_s: how many pictures are looked at once nothing has changed for a minute.
        region_percent: left, top, width and height of what is looked at.
        code_percent_min: codes whose longer side is less of the picture's height do not count.
        confirm_refusals: equal reads, each on its own picture, that a refusal takes.
        decoder: one of DECODER_PLACES: where it runs.
        decode_s_max: seconds that it may take for a picture before it counts as hanging.
    """

    camera: int = 0
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
    return CameraConfig(
        camera=section.integer("camera", 0, 0, 3) if kind == "camera" else 0,
        idle_frames_per_s=section.integer("idle_frames_per_s", 10, 1, 60),
        region_percent=_region(section),
        code_percent_min=section.integer("code_percent_min", 0, 0, 90),
        confirm_refusals=section.integer("confirm_refusals", 2, 1, 5),
        decoder=section.choice("decoder", DECODER_PLACES, "process"),
        decode_s_max=section.seconds("decode_s_max", 2.0, 0.2, 30.0),
    )


def _region(section: Section) -> tuple[int, int, int, int]:
    region = section.integers("region_percent", 0, 100) or _WHOLE
    if len(region) != len(_WHOLE):
        raise section.error("region_percent", "must be left, top, width, height; write four")
    left, top, width, height = region
    if not width or not height or left + width > _WHOLE[2] or top + height > _WHOLE[3]:
        raise section.error("region_percent", "reaches out of the picture or is empty; correct it")
    return left, top, width, height
