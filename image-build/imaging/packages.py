"""Packages laid beside the system without their scripts: kernel, busybox, firmware, certificates.

They are fetched by the machine's own apt, with lists and a cache of their own: nothing is
installed here, and nothing of /etc/apt is written.
"""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from imaging.errors import BuildError
from imaging.flavours import Flavour, Machine
from imaging.running import run


@dataclass(frozen=True, slots=True)
class Vendor:
    """The vendor's archive.

    Attributes:
        address: of the archive.
        keys: file with the keys that it is signed by.
    """

    address: str
    keys: Path


@dataclass(frozen=True, slots=True)
class Package:
    """One that was unpacked.

    Attributes:
        name, version, arch: as Debian calls it.
        sha256: of the file.
    """

    name: str
    version: str
    arch: str
    sha256: str


def archives() -> list[tuple[str, str]]:
    """Give the addresses of the machine's own archives, each with what it adds to a suite's name.

    Raises:
        BuildError: if apt has none for the machine's release.
    """
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    names = [line for line in release.splitlines() if line.startswith("VERSION_CODENAME=")]
    codename = names[0].partition("=")[2].strip('"') if names else ""
    form = "$(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT)"
    found: dict[str, str] = {}
    for line in run(["apt-get", "indextargets", "--format", form]).splitlines():
        kind, address, suite, component = line.split()
        if kind == "Packages" and component == "main" and suite.startswith(codename):
            found.setdefault(suite.removeprefix(codename), address)
    if "" not in found:
        raise BuildError(f"apt has no source of the release {codename!r}; see /etc/apt")
    return [(found[more], more) for more in ("", "-security") if more in found]


def sources(flavour: Flavour, vendor: Vendor | None) -> str:
    """Give the lines that apt reads for a flavour."""
    keys = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    signed = f"[signed-by={keys}] " if keys.exists() else ""
    components = " ".join(flavour.components)
    lines = [
        f"deb {signed}{address} {flavour.suite}{more} {components}\n"
        for address, more in archives()
    ]
    if vendor is not None:
        lines.append(
            f"deb [signed-by={vendor.keys}] {vendor.address} {flavour.suite} "
            f"{' '.join(flavour.vendor_components)}\n"
        )
    return "".join(lines)


class Apt:
    """apt for another suite and architecture, in a folder of its own."""

    def __init__(self, folder: Path, arch: str, lines: str) -> None:
        self._folder = folder
        for name in ("lists/partial", "cache/archives/partial", "packages"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "sources").write_text(lines)
        (folder / "status").touch()
        options = {
            "APT::Architecture": arch,
            "APT::Architectures": arch,
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Debug::NoLocking": "1",
            "Dir::Cache": str(folder / "cache"),
            "Dir::Etc::sourcelist": str(folder / "sources"),
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": str(folder / "lists"),
            "Dir::State::status": str(folder / "status"),
        }
        self._options = [word for k, v in options.items() for word in ("-o", f"{k}={v}")]

    def update(self) -> None:
        """Fetch the lists."""
        run(["apt-get", *self._options, "-q", "update"])

    def depends(self, package: str) -> list[str]:
        """Give what a package names as its dependencies."""
        said = run(["apt-cache", *self._options, "depends", "--no-recommends", package])
        lines = (line.strip() for line in said.splitlines())
        return [line.partition("Depends: ")[2] for line in lines if line.startswith("Depends: ")]

    def fetch(self, names: list[str]) -> list[Path]:
        """Fetch packages, checked against the lists; give their files, in order."""
        folder = self._folder / "packages"
        shutil.rmtree(folder)
        folder.mkdir()
        run(["apt-get", *self._options, "-q", "download", *names], folder=folder)
        return sorted(folder.glob("*.deb"))


def kernel_package(apt: Apt, machine: Machine) -> str:
    """Give the package that the kernel of the day is in.

    Raises:
        BuildError: if the flavour's kernel depends on none.
    """
    found = [name for name in apt.depends(machine.kernel) if name.startswith("linux-image-")]
    if not found:
        raise BuildError(f"{machine.kernel} depends on no linux-image-…: see the flavour's kernel")
    return found[0].partition(":")[0]


def unpack(files: list[Path], target: Path) -> list[Package]:
    """Unpack packages into a folder, and give what they were."""
    target.mkdir(parents=True, exist_ok=True)
    told = []
    for file in files:
        run(["dpkg-deb", "--extract", file, target])
        form = "--showformat=${Package} ${Version} ${Architecture}"
        name, version, arch = run(["dpkg-deb", "--show", form, file]).split()
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        told.append(Package(name, version, arch, sha256))
    return told
