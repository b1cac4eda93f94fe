"""What a process wrote to its disk, step by step, and the disk as a power cut would leave it.

Recorded by strace with all bytes. A write is durable once its file was synced after it; a sync that
fails makes nothing durable, and what was to be written is gone (the kernel tells of it once). At a
cut each write that is not durable is kept, dropped or torn at 512-byte sectors. The model takes a
device at its word and a file's name as durable once it is there.
"""

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

WRITER = Path(__file__).parent / "journal_writer.py"
ROOT = Path(__file__).resolve().parents[2]
SECTOR = 512
_CALLS = "pwrite64,write,fdatasync,fsync,ftruncate,unlink"
_LINE = re.compile(r"\d+ +(\w+)\((.*)\) += (-?\d+).*")
_FILE = re.compile(r"\d+<([^>]*)>")
_TEXT = re.compile(r'"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, in order.

    Attributes:
        what: `write`, `truncate`, `sync`, `lost` (a sync that failed), `remove`, or what the writer
            said: `acked`, `opened`.
        file: its name; "" for what was said.
        offset: of a write; the size of a truncation; the number that was said.
        data: of a write.
    """

    what: str
    file: str = ""
    offset: int = 0
    data: bytes = b""


@dataclass(slots=True)
class Recording:
    """One run of the writer.

    Attributes:
        steps: what happened.
        status: of the process; negative for the signal that ended it.
        said: what it printed.
        errors: its last words.
    """

    steps: list[Step]
    status: int
    said: str
    errors: str = ""

    @property
    def promised(self) -> int:
        """The greatest record that was promised."""
        return max((int(line.split()[1]) for line in self.said.splitlines()), default=0)


def record(
    folder: Path, commits: int, *, mutant: str = "", checkpoint: int = 12, inject: str = ""
) -> Recording:
    """Run the writer and record what it does.

    Args:
        folder: for its files; made here.
        commits: how many records or grants it writes.
        mutant: a fault of `storage_mutants`.
        checkpoint: pages of the log after which it is emptied.
        inject: strace's words for a fault, as `fdatasync:error=EIO:when=3`.
    """
    folder.mkdir()
    log = folder.with_suffix(".trace")
    command = ["strace", "-f", "-qq", "-y", "-xx", "-s", "1000000", "-e", f"trace={_CALLS}"]
    command += ["-e", f"inject={inject}"] if inject else []
    command += ["-o", str(log), sys.executable, str(WRITER), str(folder), str(commits)]
    command += ["--checkpoint", str(checkpoint)] + (["--mutant", mutant] if mutant else [])
    done = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": f"{ROOT}:{WRITER.parent}", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    steps = list(_steps(log.read_text("ascii"), str(folder)))
    log.unlink()
    return Recording(steps, done.returncode, done.stdout, done.stderr[-2000:])


def _steps(text: str, folder: str) -> Iterator[Step]:
    for line in _whole_lines(text):
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        call, arguments, result = match[1], match[2], int(match[3])
        texts = [_bytes(found) for found in _TEXT.findall(arguments)]
        if call == "unlink":
            path = texts[0].decode()
        else:
            found = _FILE.match(arguments)
            path = _bytes(found[1]).decode() if found else ""
        if call == "write" and texts and texts[0].startswith((b"acked ", b"opened ")):
            what, number = texts[0].decode().split()
            yield Step(what, offset=int(number))
        elif path.startswith(folder + "/"):
            yield from _file_step(call, Path(path).name, arguments, texts, result)


def _file_step(
    call: str, name: str, arguments: str, texts: list[bytes], result: int
) -> Iterator[Step]:
    if call in ("fdatasync", "fsync"):
        yield Step("sync" if result == 0 else "lost", name)
    elif call == "unlink":
        yield Step("remove", name)
    elif call == "ftruncate" and result == 0:
        yield Step("truncate", name, int(arguments.rsplit(",", 1)[1]))
    elif call == "pwrite64" and result > 0:
        yield Step("write", name, int(arguments.rsplit(",", 1)[1]), texts[-1][:result])


def _whole_lines(text: str) -> Iterator[str]:
    """Put calls together that another thread's came between."""
    begun: dict[str, str] = {}
    for line in text.splitlines():
        thread = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            begun[thread] = line.removesuffix(" <unfinished ...>")
        elif " resumed>" in line:
            yield begun.pop(thread, "") + line.split(" resumed>", 1)[1]
        else:
            yield line


def _bytes(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))


Image = dict[str, bytes]


@dataclass(slots=True)
class Disk:
    """A disk on which steps happen.

    Attributes:
        durable: what is on it for good.
        pending: what was written since, by file.
        acked: greatest record that was promised.
        opened: greatest record that the arm moved for.
    """

    durable: dict[str, bytearray] = field(default_factory=dict)
    pending: dict[str, list[Step]] = field(default_factory=dict)
    acked: int = 0
    opened: int = 0

    def happen(self, step: Step) -> None:
        """Let the next step happen."""
        match step.what:
            case "acked":
                self.acked = step.offset
            case "opened":
                self.opened = step.offset
            case "sync":
                for one in self.pending.pop(step.file, []):
                    _apply(self.durable, one)
            case "lost":
                self.pending.pop(step.file, None)
            case "remove":
                self.pending.pop(step.file, None)
                self.durable.pop(step.file, None)
            case _:
                self.pending.setdefault(step.file, []).append(step)

    def cut(self, how: str, seed: int) -> Image:
        """Give the disk after a power cut now.

        Args:
            how: `kept`, `dropped` or `torn`: what becomes of what is not durable.
            seed: of the chance by which writes are torn.
        """
        image = {name: bytearray(content) for name, content in self.durable.items()}
        chance = random.Random(seed)
        for steps in self.pending.values() if how != "dropped" else ():
            for one in steps:
                for part in [one] if how == "kept" else _torn(one, chance):
                    _apply(image, part)
        return {name: bytes(content) for name, content in image.items()}


def _torn(step: Step, chance: random.Random) -> Iterator[Step]:
    """Give what is left of a write: each sector by itself, or nothing."""
    if step.what == "truncate":
        if chance.random() < 0.5:
            yield step
        return
    for start in range(0, len(step.data), SECTOR):
        if chance.random() < 0.5:
            yield Step("write", step.file, step.offset + start, step.data[start : start + SECTOR])


def _apply(image: dict[str, bytearray], step: Step) -> None:
    content = image.setdefault(step.file, bytearray())
    if step.what == "truncate":
        del content[step.offset :]
        content.extend(bytes(step.offset - len(content)))
        return
    end = step.offset + len(step.data)
    content.extend(bytes(max(0, end - len(content))))
    content[step.offset : end] = step.data
