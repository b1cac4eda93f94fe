"""What an image is made of: `flavours/*.toml`, read and checked whole."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imaging.errors import RecipeError
from imaging.reading import Table, read_toml

FORMAT: Final = 1
ARCHES: Final = ("amd64", "arm64")
_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]+")
_FIRMWARE: Final = re.compile(r"(?P<source>[\w./*-]+) -> (?P<target>[\w/-]*)")


@dataclass(frozen=True, slots=True)
class Firmware:
    """Files that the board's firmware reads.

    Attributes:
        pattern: below the root of the unpacked packages.
        target: folder on the partition; "" is its root.
    """

    pattern: str
    target: str


@dataclass(frozen=True, slots=True)
class Machine:
    """One architecture of a flavour.

    Attributes:
        arch: as Debian calls it.
        machine: as Python's wheels call it.
        console: serial port for messages, where images that are not released speak.
        boards: that it is for, in words.
        kernel: the package that depends on the kernel of the day.
        unpacked: packages that are laid beside the system, without running their scripts.
        modules: of the kernel, that a start needs before it has a root.
        drop_modules: folders of modules that no gate has a use for.
        firmware: for a slot's boot partition.
        first_firmware: for the first partition.
    """

    arch: str
    machine: str
    console: str
    boards: tuple[str, ...]
    kernel: str
    unpacked: tuple[str, ...]
    modules: tuple[str, ...]
    drop_modules: tuple[str, ...]
    firmware: tuple[Firmware, ...]
    first_firmware: tuple[Firmware, ...]


@dataclass(frozen=True, slots=True)
class Flavour:
    """A flavour.

    Attributes:
        name: of its file.
        suite, components: of Debian.
        experimental: whether nobody has reported a start of it yet.
        vendor: whether it wants the vendor's archive, which has to be named.
        vendor_components: of that archive.
        packages: installed.
        extras: of pyproject.toml.
        enable: units of Debian's that run.
        machines: by architecture.
    """

    name: str
    suite: str
    components: tuple[str, ...]
    experimental: bool
    vendor: bool
    vendor_components: tuple[str, ...]
    packages: tuple[str, ...]
    extras: tuple[str, ...]
    enable: tuple[str, ...]
    machines: dict[str, Machine]

    def machine(self, arch: str) -> Machine:
        """Give one architecture.

        Raises:
            RecipeError: if the flavour is not for it.
        """
        if arch not in self.machines:
            raise RecipeError(
                f"flavour {self.name} is for {', '.join(sorted(self.machines))}, not for {arch}"
            )
        return self.machines[arch]


def compatible(flavour: str, arch: str) -> str:
    """Give the name of the machines that one image, and its bundles, are for."""
    return f"portillon-gate-{flavour}-{arch}"


def read_flavour(path: Path) -> Flavour:
    """Read and check a flavour's file.

    Raises:
        RecipeError: if something of it is not as it has to be.
    """
    whole = read_toml(path)
    if whole.take("format", int) != FORMAT:
        raise RecipeError(f"{path}: format has to be {FORMAT}")
    arches = whole.table("arch")
    machines = {arch: _machine(arch, arches.table(arch)) for arch in ARCHES if arches.has(arch)}
    arches.end()
    flavour = Flavour(
        name=path.stem,
        suite=whole.take("suite", str),
        components=whole.words("components"),
        experimental=whole.take("experimental", bool),
        vendor=whole.take("vendor", bool, False),
        vendor_components=whole.words("vendor_components"),
        packages=whole.words("packages"),
        extras=whole.words("extras"),
        enable=whole.words("enable"),
        machines=machines,
    )
    whole.end()
    if not machines:
        raise RecipeError(f"{path}: no table arch.amd64 or arch.arm64")
    named = [*flavour.packages, *(p for m in machines.values() for p in (m.kernel, *m.unpacked))]
    if wrong := [name for name in named if not _PACKAGE.fullmatch(name)]:
        raise RecipeError(f"{path}: no names of packages: {', '.join(wrong)}")
    if flavour.packages != tuple(sorted(set(flavour.packages))):
        raise RecipeError(f"{path}: packages have to be in order, each once")
    if flavour.vendor != bool(flavour.vendor_components):
        raise RecipeError(f"{path}: vendor and vendor_components go together")
    return flavour


def _machine(arch: str, table: Table) -> Machine:
    machine = Machine(
        arch=arch,
        machine=table.take("machine", str),
        console=table.take("console", str),
        boards=table.words("boards"),
        kernel=table.take("kernel", str),
        unpacked=table.words("unpacked"),
        modules=table.words("modules"),
        drop_modules=table.words("drop_modules"),
        firmware=_firmware(table.words("firmware")),
        first_firmware=_firmware(table.words("first_firmware")),
    )
    table.end()
    return machine


def _firmware(lines: tuple[str, ...]) -> tuple[Firmware, ...]:
    found = [_FIRMWARE.fullmatch(line) for line in lines]
    if not all(found):
        raise RecipeError(f'firmware has to read "from -> folder": {lines[found.index(None)]}')
    return tuple(Firmware(match["source"], match["target"]) for match in found if match)
