"""Plays the firmware of a Raspberry Pi in front of an emulated machine: which partition starts.

It reads `autoboot.txt` from the card, keeps the one-shot flag in its own memory, so that a cut of
the power loses it, and takes kernel and initramfs from the boot partition that it chose.
"""

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from update_card import MIB, PARTITIONS, ROOT, run

START_S_MAX: Final = 900
FLAG: Final = b"tryboot"
SLOT_OF: Final = {2: "a", 3: "b"}


@dataclass
class Start:
    """One start of the machine.

    Attributes:
        partition: that was chosen.
        is_tryboot: whether by the flag.
        told: what the guest's driver said, in order.
        log: all of the console.
        is_cut: whether the power was cut.
    """

    partition: int
    is_tryboot: bool
    told: list[dict[str, Any]] = field(default_factory=list)
    log: str = ""
    is_cut: bool = False
    seconds: float = 0.0

    def states(self) -> list[tuple[str, str]]:
        """Give the states that machine.json said, with the version; repeats left out."""
        said = [one["machine"]["update"] for one in self.told if "update" in one.get("machine", {})]
        pairs = [(one["state"], one["version"]) for one in said]
        return [pair for at, pair in enumerate(pairs) if at == 0 or pair != pairs[at - 1]]


@dataclass(frozen=True, slots=True)
class Board:
    """What the card is put into.

    Attributes:
        offsets: in bytes, of the card's partitions by their numbers.
        initrd: name of the file beside the kernel.
        memory_mib: of the machine.
        words: the emulator's, for what else is plugged in.
        roots: whether the kernel is told its root; an image's first program finds it by itself.
        start_s_max: how long one start may last.
    """

    offsets: Mapping[int, int]
    initrd: str = "initrd"
    memory_mib: int = 768
    words: Sequence[str] = ("-nic", "none")
    roots: bool = True
    start_s_max: float = START_S_MAX


TRIAL: Final = Board(
    {number: first * MIB for number, (_, _, first, _) in enumerate(PARTITIONS, start=1)}
)


class Firmware:
    """A card in a machine that can be started, again and again."""

    def __init__(self, card: Path, board: Board = TRIAL) -> None:
        self._card = card
        self._board = board
        self._folder = card.parent
        self._emulator = run(ROOT / "tools/qemu", "x86_64").strip()
        self.flag = False
        self._cut = threading.Event()

    def cut(self) -> None:
        """Cut the power of a start that goes on in another thread."""
        self._cut.set()

    def autoboot(self) -> bytes:
        return self._read(1, "autoboot.txt")

    @property
    def console(self) -> str:
        """What the machine's console says so far."""
        return _text(self._folder / "console.log")

    def start(self, plan: str, cut: Callable[[dict[str, Any]], bool] = lambda _: False) -> Start:
        """Start once, until the machine ends by itself, or is cut.

        Args:
            plan: what the guest's driver is to do, comma-separated.
            cut: says at which of the driver's words the power goes.
        """
        partition = self._choose()
        start = Start(partition, self.flag)
        self.flag = False
        self._cut.clear()
        board = self._board
        for name in ("vmlinuz", board.initrd):
            (self._folder / name).write_bytes(self._read(partition, name))
        root = (
            f"root=PARTLABEL=system_{SLOT_OF[partition]} trial.plan={plan}" if board.roots else plan
        )
        arguments = (
            f"{self._read(partition, 'cmdline.txt').decode().strip()} {root} "
            f"portillon.partition={partition} portillon.tryboot={int(start.is_tryboot)}"
        )
        log, box = self._folder / "console.log", self._folder / "firmware.box"
        for file in (log, box):
            file.write_bytes(b"")
        began = time.monotonic()
        machine = subprocess.Popen(
            [
                self._emulator, "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max",
                "-smp", "2", "-m", str(board.memory_mib), "-display", "none", "-no-reboot",
                *board.words,
                "-kernel", self._folder / "vmlinuz", "-initrd", self._folder / board.initrd,
                "-append", arguments,
                "-drive", f"file={self._card},format=raw,if=virtio",
                "-device", "virtio-serial-pci", "-chardev", f"file,id=box,path={box}",
                "-device", "virtserialport,chardev=box,name=portillon.firmware",
                "-serial", f"file:{log}", "-monitor", "none",
            ]
        )  # fmt: skip
        try:
            while machine.poll() is None:
                if time.monotonic() - began > board.start_s_max:
                    raise TimeoutError(f"no end after {board.start_s_max} s:\n{_text(log)[-4000:]}")
                time.sleep(0.2)
                said = _told(_text(log))
                fresh, start.told = said[len(start.told) :], said
                if self._cut.is_set() or any(cut(one) for one in fresh):
                    start.is_cut = True
                    break
        finally:
            if machine.poll() is None:
                machine.kill()
            machine.wait()
        start.log, start.seconds = _text(log), time.monotonic() - began
        start.told = _told(start.log)
        self.flag = not start.is_cut and FLAG in box.read_bytes()
        return start

    def _choose(self) -> int:
        section, chosen = "all", {}
        for line in self.autoboot().decode().split():
            if found := re.fullmatch(r"\[(\w+)\]", line):
                section = found[1]
            elif line.startswith("boot_partition="):
                chosen[section] = int(line.partition("=")[2])
        return chosen["tryboot"] if self.flag else chosen["all"]

    def _read(self, partition: int, name: str) -> bytes:
        place = f"{self._card}@@{self._board.offsets[partition]}"
        return subprocess.run(
            ["mtype", "-i", place, f"::{name}"], capture_output=True, check=True
        ).stdout


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def _told(text: str) -> list[dict[str, Any]]:
    found = re.findall(r"TRIAL (\{.*\})\r?\n", text)
    return [json.loads(one) for one in found]
