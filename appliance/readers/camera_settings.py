"""How a camera with a sensor of its own is set up, and the controls that this comes to.

Called by the two drivers of such cameras. Knows no library.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

Control = float | tuple[int, int]

_MIDDLE: Final = 0  # of AeMeteringMode: the middle of the picture counts most
_MANUAL_FOCUS: Final = 0
_US_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """How the camera is set up.

    Attributes:
        number: which camera.
        width: pixels; a code wants three for each of its modules.
        height: pixels.
        frames_per_s: pictures a second.
        exposure_us: shutter time in microseconds, short for screens in moving hands; 0 leaves it to
            the camera.
        gain: of the sensor; 0 leaves it to the camera, which measures in the middle.
        lens_position: dioptres for a lens with a motor, or None to leave the lens alone.
        buffers: pictures that the driver holds memory for; the library's own six waste what small
            boards need elsewhere.
    """

    number: int = 0
    width: int = 1280
    height: int = 720
    frames_per_s: int = 30
    exposure_us: int = 4000
    gain: float = 0.0
    lens_position: float | None = None
    buffers: int = 4

    def controls(self) -> dict[str, Control]:
        """Give what is asked of the camera, by the names that libcamera has for it."""
        frame_us = _US_PER_S // self.frames_per_s
        controls: dict[str, Control] = {
            "FrameDurationLimits": (frame_us, frame_us),
            "AeMeteringMode": _MIDDLE,
        }
        if self.exposure_us:
            controls["ExposureTime"] = self.exposure_us
        if self.gain:
            controls["AnalogueGain"] = self.gain
        if self.lens_position is not None:
            controls |= {"AfMode": _MANUAL_FOCUS, "LensPosition": self.lens_position}
        return controls


def split_by_offer(
    controls: dict[str, Control], offered: Iterable[str]
) -> tuple[dict[str, Control], list[str]]:
    """Part what a camera has from what it has not: it would refuse the whole set-up for that.

    Returns:
        The controls that it has, and the names of those that it lacks.
    """
    names = set(offered)
    has = {name: value for name, value in controls.items() if name in names}
    return has, sorted(controls.keys() - names)
