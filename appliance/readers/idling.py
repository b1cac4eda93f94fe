"""When pictures are looked at less often: nobody is there, and the board grows warm. Pure.

Called by camera readers. A scene counts as changed when one of its fields is lighter or darker than
it was; the noise of a sensor is averaged away within a field.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.readers.decoding import Frame

IDLE_AFTER_NS: Final = 60_000_000_000
_FIELDS: Final = 8  # of each side of a picture
_SAMPLES: Final = 8  # of each side of a field; 64 of them halve a sensor's noise three times
_CHANGE_MIN: Final = 10.0  # grey levels of a field's mean

Means = npt.NDArray[np.float32]


class Idling:
    """Tells how long to wait before the next picture is looked at.

    Args:
        frames_per_s: pictures a second while nothing changes.

    Raises:
        ValueError: if that is not at least one.
    """

    def __init__(self, frames_per_s: int) -> None:
        if frames_per_s < 1:
            raise ValueError(f"frames_per_s must be >= 1, got {frames_per_s}")
        self._pause_s = 1 / frames_per_s
        self._means: Means | None = None
        self._changed_ns = 0

    def pause_s(self, frame: Frame, *, has_codes: bool) -> float:
        """Give the seconds to wait after a frame; 0 while something is going on."""
        means = _means_of(frame)
        if has_codes or self._is_changed(means):
            self._means, self._changed_ns = means, frame.received_ns
        is_idle = frame.received_ns - self._changed_ns >= IDLE_AFTER_NS
        return self._pause_s if is_idle else 0.0

    def _is_changed(self, means: Means) -> bool:
        if self._means is None or self._means.shape != means.shape:
            return True
        return bool(np.max(np.abs(means - self._means)) >= _CHANGE_MIN)


def _means_of(frame: Frame) -> Means:
    side = _FIELDS * _SAMPLES
    step_x, step_y = max(1, frame.width // side), max(1, frame.height // side)
    sampled = frame.pixels[::step_y, ::step_x]
    rows, columns = min(_FIELDS, sampled.shape[0]), min(_FIELDS, sampled.shape[1])
    height, width = sampled.shape[0] // rows, sampled.shape[1] // columns
    fields = sampled[: rows * height, : columns * width].reshape(rows, height, columns, width)
    means: Means = fields.mean(axis=(1, 3), dtype=np.float32)
    return means
