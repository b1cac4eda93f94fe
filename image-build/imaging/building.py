"""Builds an image: the steps, in order, each with the sentence that `--plan` prints of it."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from imaging import checks, filesystems, generated, hooks, initramfs, sbom
from imaging.errors import BuildError
from imaging.layout import SLOTS
from imaging.packages import Apt, Package, kernel_package, sources, unpack
from imaging.recipe import FOLDER, REPOSITORY, Recipe
from imaging.running import run

# Of what is laid beside the system, what its root has no use for.
_NOT_FOR_ROOT: Final = (
    "usr/bin/busybox", "usr/lib/linux-image-*", "usr/lib/raspi-firmware", "usr/share/bug",
    "usr/share/doc", "usr/share/lintian", "usr/share/man",
)  # fmt: skip
_COMPILE: Final = ("/usr/bin/python3", "-IB", "-m", "compileall", "-q", "-j", "0",
                   "--invalidation-mode", "unchecked-hash", "/usr/lib/portillon")  # fmt: skip
_BLOCK: Final = 1024 * 1024


@dataclass
class Building:
    """One image on its way.

    Attributes:
        recipe: what is built.
        work: folder for what is on its way; taken away at the end.
        say: told each step as it begins.
        beside: the packages laid beside the system.
        parts: what the image is made of, for its list of them.
    """

    recipe: Recipe
    work: Path
    say: Callable[[str], None]
    beside: list[Package] = field(default_factory=list)
    parts: list[sbom.Part] = field(default_factory=list)

    @property
    def tree(self) -> Path:
        """The root of the system."""
        return self.work / "root"

    def run(self) -> Path:
        """Do all steps; give the image's path.

        Raises:
            BuildError: if one cannot be done.
        """
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        self.recipe.out.mkdir(parents=True, exist_ok=True)
        for sentence, step in self.steps():
            self.say(sentence)
            step()
        shutil.rmtree(self.work)
        return self.recipe.out / f"{self.recipe.name}.img"

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """Give the steps, each with what it does in words."""
        flavour, machine, layout = self.recipe.flavour, self.recipe.machine, self.recipe.layout
        sizes = ", ".join(f"{p.label} {p.size_mib}" for p in layout.partitions)
        installed = f"{len(flavour.packages)} packages and what they need"
        beside = ", ".join(machine.unpacked)
        return [
            (f"a tree of {flavour.suite} for {machine.arch}: {installed}", self._debian),
            (f"beside it, unpacked: {machine.kernel}'s kernel, {beside}", self._packages),
            (f"Portillon and the locked wheels for {machine.machine}", self._program),
            (f"steps on the tree: {', '.join(hooks.HOOKS)}", self._hooks),
            ("the list of what it is made of, and checks of the tree", self._checks),
            ("what a slot starts from", self._boot),
            ("the system of a slot, as squashfs", self._system),
            (f"the disk, in MiB: {sizes}", self._disk),
        ]

    def _debian(self) -> None:
        flavour, arch = self.recipe.flavour, self.recipe.machine.arch
        if flavour.vendor:
            tar = self._vendor_tree()
        else:
            said = run([REPOSITORY / "tools/trixie-tree", "--arch", arch, *flavour.packages])
            tar = Path(said.strip())
        self.tree.mkdir()
        run(["tar", "--extract", "--numeric-owner", "--file", tar, "--directory", self.tree,
             "--exclude=./dev/*"])  # fmt: skip
        (self.tree / "dev/shm").mkdir(parents=True)  # where Python's processes meet as it compiles

    def _vendor_tree(self) -> Path:
        """Make a tree with the vendor's archive, which the shared tool does not know."""
        flavour, vendor = self.recipe.flavour, self.recipe.vendor
        if vendor is None:
            raise BuildError(
                f"flavour {flavour.name} needs --vendor-archive ADDRESS and --vendor-keys FILE"
            )
        tar = self.work / "tree.tar"
        lines = sources(flavour, vendor).splitlines()
        run(["mmdebstrap", "--variant=minbase", "--mode=root", f"--arch={self.recipe.machine.arch}",
             f"--include={','.join(flavour.packages)}", '--aptopt=Acquire::Languages "none"',
             "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
             "--dpkgopt=path-exclude=/usr/share/locale/*", flavour.suite, tar, *lines])  # fmt: skip
        return tar

    def _packages(self) -> None:
        machine, flavour = self.recipe.machine, self.recipe.flavour
        apt = Apt(self.work / "apt", machine.arch, sources(flavour, self.recipe.vendor))
        apt.update()
        files = apt.fetch([kernel_package(apt, machine), *machine.unpacked])
        self.beside = unpack(files, self.work / "beside")
        wanted = self.work / "beside-root"
        shutil.copytree(self.work / "beside/usr", wanted / "usr", symlinks=True)
        for pattern in _NOT_FOR_ROOT:
            for path in wanted.glob(pattern):
                hooks.remove(path)
        run(["cp", "--archive", "--no-preserve=ownership", wanted / "usr", self.tree])

    def _program(self) -> None:
        machine = self.recipe.machine
        run([REPOSITORY / "tools/program", machine.machine, self.tree, *self.recipe.flavour.extras])
        library = self.tree / "usr/lib/portillon"
        if not any(library.rglob("__pycache__")):  # for another processor, which is emulated
            self._compile(library)

    def _compile(self, library: Path) -> None:
        """Compile the program with this machine's processor: the result is the same, in no time.

        Raises:
            BuildError: the two Debians have different Pythons.
        """
        compiler = self.work / "compiler"
        tar = run([REPOSITORY / "tools/trixie-tree", "--arch", this_arch(), "python3"]).strip()
        compiler.mkdir()
        run(["tar", "--extract", "--file", tar, "--directory", compiler, "--exclude=./dev/*"])
        (compiler / "dev/shm").mkdir(parents=True)
        pythons = {(root / "usr/bin/python3").readlink() for root in (compiler, self.tree)}
        if len(pythons) != 1:
            found = " and ".join(sorted(map(str, pythons)))
            raise BuildError(f"the trees have {found}: make both anew (rm -r var/trees)")
        within = compiler / library.relative_to(self.tree)
        library.rename(within)
        run(["chroot", compiler, *_COMPILE])
        within.rename(library)
        shutil.rmtree(compiler)

    def _hooks(self) -> None:
        status = (self.tree / "var/lib/dpkg/status").read_text(encoding="utf-8")
        library = self.tree / "usr/lib/portillon"
        self.parts = [*sbom.installed(status), *sbom.beside(self.beside), *sbom.wheels(library)]
        for name, hook in hooks.HOOKS.items():
            try:
                hook(self.tree, self.recipe)
            except (OSError, ValueError) as exc:
                raise BuildError(f"step {name}: {exc}") from exc
        if lacking := hooks.not_offered(self.tree):
            self.say(f"  left out, since this Portillon has no such action: {', '.join(lacking)}")

    def _checks(self) -> None:
        recipe = self.recipe
        text = sbom.document(recipe.compatible, recipe.version, self.parts, recipe.epoch)
        hooks.write(self.tree / sbom.SBOM_FILE, text)
        hooks.write(recipe.out / f"{recipe.name}.spdx.json", text)
        checks.check(self.tree)

    def _boot(self) -> None:
        machine, beside, folder = self.recipe.machine, self.work / "beside", self.work / "boot"
        folder.mkdir()
        kernel = next((beside / "boot").glob("vmlinuz-*"))
        shutil.copyfile(kernel, folder / "vmlinuz")
        version = kernel.name.removeprefix("vmlinuz-")
        found = initramfs.module_files(self.tree / "usr/lib/modules" / version, machine.modules)
        init = FOLDER / "initramfs/init"
        slots = generated.slots_file(self.recipe.layout)
        busybox = beside / "usr/bin/busybox"
        (folder / "initrd.img").write_bytes(initramfs.build(init, busybox, slots, found))
        for name, text in boot_texts(self.recipe).items():
            (folder / name).write_text(text, encoding="ascii")
        for firmware in machine.firmware:
            filesystems.copy_firmware(beside, firmware.pattern, folder / firmware.target)
        first = self.work / "bootcfg"
        first.mkdir()
        (first / "autoboot.txt").write_bytes(generated.autoboot(self.recipe.layout))
        for firmware in machine.first_firmware:
            filesystems.copy_firmware(beside, firmware.pattern, first / firmware.target)

    def _system(self) -> None:
        recipe, part = self.recipe, self.recipe.layout.of_slot("a", "system")
        target = recipe.out / f"{recipe.name}.system"
        filesystems.squashfs(self.tree, target, part, recipe.epoch, processors=2)

    def _disk(self) -> None:
        recipe, layout, epoch = self.recipe, self.recipe.layout, self.recipe.epoch
        system, boot = (recipe.out / f"{recipe.name}.{role}" for role in ("system", "boot"))
        filesystems.fat(self.work / "boot", boot, layout.of_slot("a", "boot"), epoch)
        first = layout.labelled(generated.BOOT_CONFIG)
        filesystems.fat(self.work / "bootcfg", self.work / "bootcfg.fat", first, epoch)
        data = layout.labelled(generated.DATA)
        filesystems.ext4(self.work / "data.ext4", data, epoch)
        parts = [(first.offset_bytes, self.work / "bootcfg.fat")]
        for slot in SLOTS:  # both: a card that was just written has somewhere to fall back to
            parts.append((layout.of_slot(slot, "boot").offset_bytes, boot))
            parts.append((layout.of_slot(slot, "system").offset_bytes, system))
        parts.append((data.offset_bytes, self.work / "data.ext4"))
        image = recipe.out / f"{recipe.name}.img"
        filesystems.assemble(image, layout.disk_bytes, generated.sgdisk_arguments(layout), parts)
        for name in (
            "vmlinuz",
            "initrd.img",
            "cmdline.txt",
        ):  # emulators are the firmware
            shutil.copyfile(self.work / "boot" / name, recipe.out / f"{recipe.name}.{name}")
        told = json.dumps(manifest(recipe), indent=1, sort_keys=True) + "\n"
        hooks.write(recipe.out / f"{recipe.name}.json", told)


def this_arch() -> str:
    """Give Debian's name of this machine's processor."""
    return run(["dpkg", "--print-architecture"]).strip()


def boot_texts(recipe: Recipe) -> dict[str, str]:
    """Give the text files of a slot's boot partition."""
    console = recipe.console or recipe.machine.console
    line = (FOLDER / "boot/cmdline.txt").read_text(encoding="ascii").replace("@console@", console)
    texts = {"cmdline.txt": line}
    if recipe.machine.firmware:
        pins = "".join(f"gpio={number}=op,{level}\n" for number, level in recipe.rest_pins)
        config = (FOLDER / "boot/config.txt").read_text(encoding="ascii")
        texts["config.txt"] = config.replace("@rest_pins@\n", pins)
    return texts


def manifest(recipe: Recipe) -> dict[str, Any]:
    """Tell what was built: names, sizes and SHA-256 of each file, and for what machines."""
    files = {}
    for role in ("img", "system", "boot", "vmlinuz", "initrd.img", "spdx.json"):
        path = recipe.out / f"{recipe.name}.{role}"
        files[role] = {"name": path.name, "size": path.stat().st_size, "sha256": sha256(path)}
    return {
        "format": 1,
        "version": recipe.version,
        "compatible": recipe.compatible,
        "experimental": recipe.flavour.experimental,
        "boards": list(recipe.machine.boards),
        "epoch": recipe.epoch,
        "files": files,
    }


def sha256(path: Path) -> str:
    """Give a file's SHA-256 in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
