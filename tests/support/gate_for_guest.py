"""What a test outside prepares for a whole gate in the emulated machine: its data, its pictures."""

import asyncio
import shutil
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from appliance.simulator.lens import Condition, empty, grained, scene
from portillon.demo.stage import build_venue, enrol_gates, open_stage

SIZE: Final = (640, 480)
LARGE_SIZE: Final = (1280, 720)
CODE_SHARE: Final = 0.5  # of the picture's height
EACH_FRAMES: Final = 12


async def enrolled_gate(folder: Path, into: Path) -> list[str]:
    """Put the data of a gate that holds tonight's list into a folder; give two of its tickets."""
    async with asyncio.timeout(180), open_stage(folder, 0) as stage:
        await build_venue(stage)
        await stage.operator.post(f"performances/{stage.tonight}/publish")
        await enrol_gates(stage, ("gate A", "gate B"))
        gate = stage.gates[1]
        await gate.daemon.start(stage.tasks)
        await gate.wait_mode("connected")
        await gate.daemon.stop()
        shutil.copytree(gate.folder / "data", into / "data")
        shutil.copy(gate.folder / "data.secret", into)
        return list(stage.cast.single[:2])


def save_picture(path: Path, seed: int, code: str) -> None:
    """Save what a larger camera sees of one phone that is held up, in greys."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(exist_ok=True)
    phone = scene(code.encode(), "QRCode", Condition.ANGLE, LARGE_SIZE, CODE_SHARE, rng)
    Image.fromarray(phone.pixels).save(path)


def save_film(folder: Path, seed: int, *codes: str) -> None:
    """Save what a camera sees as JPEG files: phones held up in turn, the wall before each.

    Args:
        folder: is made; gets `000.jpg` and so on, to be shown in this order over and over again.
        seed: of everything left to chance.
        codes: what the phones show.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    number = 0
    for code in codes:
        phone = scene(code.encode(), "QRCode", Condition.ANGLE, SIZE, CODE_SHARE, rng).pixels
        for held in (empty(SIZE, rng), phone):
            for _ in range(EACH_FRAMES):
                picture = Image.fromarray(grained(held, rng)).convert("RGB")
                picture.save(folder / f"{number:03}.jpg", quality=90)
                number += 1
