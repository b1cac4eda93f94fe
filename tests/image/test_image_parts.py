"""The archive that a start begins in, and the list of what an image is made of."""

import gzip
import json
import lzma
import subprocess
from pathlib import Path

import pytest

from image_makers import put
from imaging import initramfs, sbom
from imaging.errors import BuildError
from imaging.packages import Package
from imaging.recipe import FOLDER


def members(packed: bytes) -> dict[str, tuple[int, bytes]]:
    """Read a cpio archive, as a kernel does."""
    raw, at, found = gzip.decompress(packed), 0, {}
    while True:
        assert raw[at : at + 6] == b"070701"
        fields = [int(raw[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        size, name_size = fields[6], fields[11]
        name = raw[at + 110 : at + 110 + name_size - 1].decode()
        start = (at + 110 + name_size + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found[name] = (fields[1], raw[start : start + size])
        at = (start + size + 3) & ~3


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    folder = tmp_path / "6.12-test"
    put(
        folder,
        {
            "modules.dep": "kernel/ext4.ko.xz: kernel/jbd2.ko.xz kernel/mbcache.ko.xz\n"
            "kernel/jbd2.ko.xz:\nkernel/mbcache.ko.xz:\nkernel/crc.ko.xz:\nkernel/sd-host.ko.xz:\n",
            "modules.builtin": "kernel/drivers/virtio/virtio_pci.ko\n",
            "modules.softdep": "# text\nsoftdep ext4 pre: crc post: later\n",
        },
    )
    for name in ("ext4", "jbd2", "mbcache", "crc", "sd-host"):
        (folder / f"kernel/{name}.ko.xz").parent.mkdir(exist_ok=True)
        (folder / f"kernel/{name}.ko.xz").write_bytes(lzma.compress(name.encode()))
    return folder


def test_modules_come_after_what_they_need_each_once(kernel):
    files = initramfs.module_files(kernel, ["virtio_pci", "ext4", "sd_host", "jbd2"])
    assert [path.name.partition(".")[0] for path in files] == [
        "crc", "mbcache", "jbd2", "ext4", "sd-host",
    ]  # fmt: skip


def test_a_module_that_is_nowhere_is_named(kernel):
    with pytest.raises(BuildError, match="no module squashfs"):
        initramfs.module_files(kernel, ["squashfs"])


def test_the_archive_holds_what_a_start_needs_and_is_the_same_again(kernel, tmp_path):
    busybox = tmp_path / "busybox"
    busybox.write_bytes(b"\x7fELF")
    files = initramfs.module_files(kernel, ["ext4"])
    init = FOLDER / "initramfs/init"
    packed = initramfs.build(init, busybox, "2 system_a\n", files)
    assert packed == initramfs.build(init, busybox, "2 system_a\n", files)
    found = members(packed)
    assert found["init"] == (0o100755, init.read_bytes())
    assert found["slots"][1] == b"2 system_a\n"
    assert found["bin/sh"] == (0o120777, b"busybox")
    assert found["modules/ext4.ko"][1] == b"ext4"  # unpacked: busybox loads no compressed ones
    assert found["modules/order"][1].split() == [b"crc.ko", b"mbcache.ko", b"jbd2.ko", b"ext4.ko"]


def test_the_first_script_calls_no_program_that_the_archive_lacks():
    script = (FOLDER / "initramfs/init").read_text()
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    known = {*initramfs.APPLETS, "fail", "argument", "exit"}
    for word in ("modprobe", "findfs", "blkid", "udevadm", "bash", "tr ", "head", "basename"):
        assert word not in script
    assert {"insmod", "switch_root", "mount", "sha256sum"} <= known


STATUS = """Package: libc6
Status: install ok installed
Architecture: arm64
Version: 2.41-12

Package: gone
Status: deinstall ok config-files
Architecture: arm64
Version: 1

Package: tzdata
Status: install ok installed
Architecture: all
Version: 1:2026a+x
"""


def test_the_list_of_parts_names_packages_wheels_and_what_was_laid_beside(tmp_path):
    put(
        tmp_path,
        {"aiohttp-3.dist-info/METADATA": "Name: aiohttp\nVersion: 3.1\n\nName: no"},
    )
    kernel = Package("linux-image-x", "6.12-1", "arm64", "ab" * 32)
    parts = [*sbom.installed(STATUS), *sbom.beside([kernel]), *sbom.wheels(tmp_path)]
    text = sbom.document("portillon-gate-debian-arm64", "0.2.0+7", parts, 1_700_000_000)
    assert text == sbom.document(
        "portillon-gate-debian-arm64", "0.2.0+7", parts[::-1], 1_700_000_000
    )
    said = json.loads(text)
    assert said["spdxVersion"] == "SPDX-2.3"
    assert said["creationInfo"]["created"] == "2023-11-14T22:13:20Z"
    purls = [p["externalRefs"][0]["referenceLocator"] for p in said["packages"]]
    assert purls == [
        "pkg:generic/portillon-gate-debian-arm64@0.2.0+7",
        "pkg:deb/debian/libc6@2.41-12?arch=arm64",
        "pkg:deb/debian/linux-image-x@6.12-1?arch=arm64",
        "pkg:deb/debian/tzdata@1%3A2026a%2Bx?arch=all",
        "pkg:pypi/aiohttp@3.1",
    ]
    assert said["packages"][2]["checksums"][0]["checksumValue"] == "ab" * 32
    ids = {p["SPDXID"] for p in said["packages"]}
    assert {r["relatedSpdxElement"] for r in said["relationships"]} == ids
