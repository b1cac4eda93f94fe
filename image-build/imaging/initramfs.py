"""The small file system that a start begins in: busybox, a script, and the modules for a root."""

import gzip
import lzma
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from imaging.errors import BuildError

APPLETS: Final = (
    "awk", "cat", "cut", "echo", "grep", "insmod", "mount", "od", "printf", "reboot", "sed", "sh",
    "sha256sum", "sleep", "switch_root",
)  # fmt: skip
FOLDERS: Final = ("bin", "dev", "modules", "proc", "root", "run", "sys")
_DEVICE_CONSOLE: Final = (5, 1)


class Archive:
    """A cpio archive as kernels read it, with fixed times, owners and numbers."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._count = 0

    def folder(self, path: str) -> None:
        """Add a folder."""
        self._add(path, stat.S_IFDIR | 0o755)

    def file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Add a file."""
        self._add(path, stat.S_IFREG | mode, content)

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self._add(path, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, path: str, major: int, minor: int) -> None:
        """Add a device file."""
        self._add(path, stat.S_IFCHR | 0o600, device=(major, minor))

    def packed(self) -> bytes:
        """Give the whole, compressed."""
        end = Archive()
        end._add("TRAILER!!!", 0)
        whole = b"".join([*self._parts, *end._parts])
        return gzip.compress(whole, compresslevel=6, mtime=0)

    def _add(
        self, path: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)
    ) -> None:
        self._count += 1
        name = path.encode() + b"\0"
        fields = (
            self._count, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0
        )  # fmt: skip
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        self._parts += [_padded(head), _padded(content)]


def _padded(part: bytes) -> bytes:
    return part + b"\0" * (-len(part) % 4)


def module_files(modules: Path, names: Iterable[str]) -> list[Path]:
    """Give the files of modules and of those that they need, in the order to load them.

    Args:
        modules: the folder of one kernel's, with what depmod wrote.
        names: as modprobe takes them; what the kernel has built in is passed over.

    Raises:
        BuildError: if a module is neither there nor built in.
    """
    needs: dict[str, list[str]] = {}
    by_name: dict[str, str] = {}
    for line in (modules / "modules.dep").read_text(encoding="ascii").splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
        by_name[_module_name(path)] = path
    softly = _soft_needs(modules / "modules.softdep")
    built_in = {
        _module_name(line)
        for line in (modules / "modules.builtin").read_text(encoding="ascii").splitlines()
    }
    order: list[str] = []

    def add(name: str, *, is_asked: bool) -> None:
        path = by_name.get(name)
        if path is None:
            if is_asked and name not in built_in:
                raise BuildError(f"{modules.name} has no module {name}; see the flavour's modules")
            return
        for needed in [*softly.get(name, []), *map(_module_name, reversed(needs[path]))]:
            add(needed, is_asked=False)
        if path not in order:
            order.append(path)

    for name in names:
        add(name.replace("-", "_"), is_asked=True)
    return [modules / path for path in order]


def _module_name(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0].replace("-", "_")


def _soft_needs(path: Path) -> dict[str, list[str]]:
    """Give what modules want loaded before them without linking to it."""
    found: dict[str, list[str]] = {}
    if not path.exists():
        return found
    for line in path.read_text(encoding="ascii").splitlines():
        words = line.split()
        if words[:1] == ["softdep"] and "pre:" in words:
            before = words[words.index("pre:") + 1 :]
            before = before[: before.index("post:")] if "post:" in before else before
            found[words[1].replace("-", "_")] = [word.replace("-", "_") for word in before]
    return found


def build(init: Path, busybox: Path, slots: str, modules: list[Path]) -> bytes:
    """Give the packed archive.

    Args:
        init: the script.
        busybox: linked statically, for the machine that starts.
        slots: see `generated.slots_file`.
        modules: in the order to load them.
    """
    archive = Archive()
    for folder in FOLDERS:
        archive.folder(folder)
    archive.character_device("dev/console", *_DEVICE_CONSOLE)
    archive.file("bin/busybox", busybox.read_bytes(), 0o755)
    for applet in APPLETS:
        archive.link(f"bin/{applet}", "busybox")
    archive.file("init", init.read_bytes(), 0o755)
    archive.file("slots", slots.encode())
    names = []
    for module in modules:  # busybox loads no compressed ones
        raw = module.read_bytes()
        plain = lzma.decompress(raw) if module.suffix == ".xz" else raw
        names.append(module.name.removesuffix(".xz"))
        archive.file(f"modules/{names[-1]}", plain)
    archive.file("modules/order", "".join(f"{name}\n" for name in names).encode())
    return archive.packed()
