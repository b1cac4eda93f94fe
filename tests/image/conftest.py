"""The images that are started: built once for all tests, or found where they were built before."""

import json
import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from imaging.recipe import FOLDER
from imaging.running import missing

VERSION: Final = "0.1.0+1"
CONSOLES: Final = {"amd64": "ttyS0", "arm64": "ttyAMA0"}


def image_name(arch: str) -> str:
    """Give what the files of an image begin with."""
    return f"portillon-gate-debian-{arch}-{VERSION}"


def build_image(out: Path, arch: str, trees: Path | None = None) -> dict[str, str]:
    """Build an image; give the SHA-256 of each of its files."""
    lacking = missing()
    assert lacking == [], f"missing: {', '.join(lacking)}; run: tools/setup image"
    assert os.geteuid() == 0, "building an image needs root"
    variables = dict(os.environ) | ({} if trees is None else {"PORTILLON_TREES": str(trees)})
    words = ["nice", FOLDER / "portillon-image", "--arch", arch, "--version", VERSION]
    words += ["--console", CONSOLES[arch], "--out", out]
    subprocess.run(list(map(str, words)), check=True, env=variables)
    told = json.loads((out / f"{image_name(arch)}.json").read_text())
    return {role: file["sha256"] for role, file in told["files"].items()}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the folder with a processor's image; PORTILLON_IMAGE names one that has it already."""

    @cache
    def folder_for(arch: str) -> Path:
        given = os.environ.get("PORTILLON_IMAGE")
        if given and (Path(given) / f"{image_name(arch)}.img").exists():
            return Path(given)
        out = tmp_path_factory.mktemp(f"image-{arch}")
        build_image(out, arch)
        return out

    return folder_for
