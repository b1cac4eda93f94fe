"""Fuzz the parsers of everything that comes from outside, each target in a process of its own.

    tools/fuzz [TARGET …] [--seconds N] [--seed N] [--plain]
    tools/fuzz --seeds       write the real documents of the corpus anew
    tools/fuzz --keep        fuzz, and add to the corpus what covers something new

`--seconds` is shared by all targets. The corpus is tests/fuzz/corpus/TARGET; whatever breaks
something stays in var/fuzz, belongs into the corpus as `regression-…`, and is mended.
"""

import argparse
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

REPOSITORY: Final = Path(__file__).parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "support")]

import fuzz_run  # noqa: E402
from fuzz_seeds import seeds  # noqa: E402
from fuzz_targets import TARGETS  # noqa: E402

FOUND: Final = REPOSITORY / "var" / "fuzz"
AT_ONCE: Final = 2
GRACE_S: Final = 60  # to start, and to read the corpus
KEPT_MAX: Final = 12  # files of one target, seeds not counted


def write_seeds() -> None:
    """Write every target's real documents; regressions and what was kept stay."""
    for target, documents in seeds().items():
        folder = fuzz_run.CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("seed-*"):
            old.unlink()
        for name, data in documents.items():
            (folder / f"seed-{name}").write_bytes(data)


def run(target: str, seconds: float, new: Path, *options: str) -> tuple[str, bool, str]:
    """Run one target; tell whether it went well, and what it said."""
    new.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        str(REPOSITORY / "tests" / "support" / "fuzz_run.py"),
        target,
        f"--seconds={seconds}",
        f"--new={new}",
        *options,
    ]
    try:
        done = subprocess.run(  # noqa: S603 (our own script)
            command,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds + GRACE_S,
        )
    except subprocess.TimeoutExpired:
        return target, False, f"did not end within {seconds + GRACE_S:.0f} s"
    return target, done.returncode == 0, done.stdout


def count_of(output: str) -> str:
    """Give how many inputs a run tried, by its own last words."""
    found = re.findall(r"number_of_executed_units: *(\d+)|tried (\d+) inputs", output)
    return "".join(found[-1]) if found else "no"


def keep(target: str) -> None:
    """Add to the corpus the smallest inputs that cover something that it did not."""
    folder = fuzz_run.CORPUS / target
    with TemporaryDirectory() as name:
        merged = Path(name)
        for path in folder.iterdir():
            shutil.copy(path, merged)
        run(target, 60, merged, f"--merge={FOUND / target}")
        known = {path.name for path in folder.iterdir()}
        found = [path for path in merged.iterdir() if path.name not in known]
        found.sort(key=lambda path: (path.stat().st_size, path.name))
        room = KEPT_MAX - sum(name.startswith("found-") for name in known)
        for path in found[: max(0, room)]:
            shutil.copy(path, folder / f"found-{path.name[:12]}")


def main() -> int:
    """Fuzz, and say how it went."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=45, help="of all targets together")
    parser.add_argument("--seed", type=int, default=1, help="0 is another one each time")
    parser.add_argument("--plain", action="store_true", help="plain mutation only")
    parser.add_argument("--seeds", action="store_true")
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    if args.seeds:
        write_seeds()
        return 0
    unknown = [name for name in args.targets if name not in TARGETS]
    if unknown:
        parser.error(f"no target {unknown[0]}; there are {', '.join(TARGETS)}")
    chosen = args.targets or list(TARGETS)
    if args.plain or not fuzz_run.has_atheris():
        print("fuzz: without atheris (asked for, or no wheel here): plain mutation in its place")
    each_s = args.seconds * min(AT_ONCE, len(chosen)) / len(chosen)
    options = [f"--seed={args.seed}", *(["--plain"] if args.plain else [])]
    failed = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for target, is_good, output in pool.map(
            lambda one: run(one, each_s, FOUND / one, *options), chosen
        ):
            print(f"fuzz: {target}: {count_of(output) + ' inputs' if is_good else 'BROKEN'}")
            if not is_good:
                failed += 1
                print("\n".join(output.splitlines()[-40:]), file=sys.stderr)
                print(f"fuzz: what breaks {target} is in {FOUND / target}", file=sys.stderr)
        if args.keep:
            list(pool.map(keep, chosen))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
