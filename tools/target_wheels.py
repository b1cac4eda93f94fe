"""See tools/target-wheels. Asks pip for what the lock file holds for another machine."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "requirements.lock"
PYTHON: Final = "3.13"
GLIBCS: Final = range(17, 41)  # Debian 13 has 2.41; wheels name the oldest that they run with
ENTRY: Final = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<rest>[^\\\n]+)\\?\n(?P<more>(?:[ #].*\n)*)", re.M
)


def environment(arch: str) -> dict[str, str]:
    """Give what markers are judged by on the target."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{PYTHON}.0",
        "os_name": "posix",
        "platform_machine": arch,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{PYTHON}.0",
        "python_version": PYTHON,
        "sys_platform": "linux",
    }


def wanted(lock: str, extras: set[str], there: Mapping[str, str]) -> Iterator[str]:
    """Give the lock's entries that the target installs, with their hashes.

    An entry is wanted if pyproject.toml asks for it, or a wanted one does ("via").

    Args:
        lock: the text of the lock file.
        extras: what of pyproject.toml is wanted beside its base.
        there: what markers are judged by on the target.
    """
    entries: dict[str, tuple[str, set[str]]] = {}
    for found in ENTRY.finditer(lock):
        requirement = Requirement(f"{found['name']}=={found['rest'].strip()}")
        if requirement.marker is not None and not requirement.marker.evaluate(there):
            continue
        hashes = re.findall(r"--hash=\S+", found["more"])
        via = set(re.findall(r"^ +#(?: +via)? +([A-Za-z0-9._-]+)", found["more"], re.M)) - {"via"}
        line = f"{requirement.name}{requirement.specifier} {' '.join(hashes)}"
        entries[canonicalize_name(requirement.name)] = (line, {canonicalize_name(v) for v in via})
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = list(project["dependencies"])
    for extra in extras:
        asked += project["optional-dependencies"][extra]
    needed = {
        canonicalize_name(requirement.name)
        for requirement in map(Requirement, asked)
        if requirement.marker is None or requirement.marker.evaluate(there)
    }
    if missing := needed - entries.keys():
        raise SystemExit(
            f"target-wheels: {LOCK.name} lacks {', '.join(sorted(missing))}: make lock"
        )
    while more := {name for name, (_, via) in entries.items() if via & needed} - needed:
        needed |= more
    return (entries[name][0] for name in sorted(needed))


def main(arch: str, folder: str, *extras: str) -> None:
    """Fetch; exits with what is wrong."""
    if arch not in {"x86_64", "aarch64"}:
        raise SystemExit(f"target-wheels: knows x86_64 and aarch64, not {arch}")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    listed = target / "requirements.txt"
    text = "".join(
        f"{line}\n"
        for line in wanted(LOCK.read_text(), set(extras or ("gate",)), environment(arch))
    )
    if listed.exists() and listed.read_text() == text:
        return  # written when all of it was there
    unfinished = target / "requirements.unfinished"
    unfinished.write_text(text)
    tags = [f"manylinux_2_{minor}_{arch}" for minor in GLIBCS] + [f"manylinux2014_{arch}"]
    platforms = [word for tag in tags for word in ("--platform", tag)]
    pip = [sys.executable, "-m", "pip", "download", "-qq", "--no-input", "--no-deps"]
    rules = ["--only-binary", ":all:", "--require-hashes", "--python-version", PYTHON]
    asked = ["--implementation", "cp", "--abi", "cp313", "--abi", "abi3", "--abi", "none"]
    subprocess.run(  # noqa: S603 - the program and every word of it are ours
        [*pip, *rules, *asked, *platforms, "--dest", folder, "--requirement", str(unfinished)],
        check=True,
    )
    unfinished.replace(listed)


if __name__ == "__main__":
    main(*sys.argv[1:])
