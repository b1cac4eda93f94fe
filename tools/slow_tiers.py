"""Which slow proofs stand for the files as they are, and which have to run again; and running them.

A tier names the files that it proves something about (tests/slow-tiers.toml). When it went through,
their digest is noted there with the date; while the files are the same, the proof stands and need
not run again. Called by .ci/run (`run-due`) and by people. A tier's first run is a person's: only
then is it known how long it takes.
"""

import argparse
import datetime
import hashlib
import platform
import re
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
RECORD: Final = Path("tests/slow-tiers.toml")


@dataclass(frozen=True, slots=True)
class Tier:
    """A slow proof.

    Args:
        name: its name in the record.
        command: what runs it, in words.
        files: paths from the root that it proves something about; a folder means all in it.
        passed: the digest of those files when it last went through; "" if it never did.
        note: when and where that was, for people.
    """

    name: str
    command: str
    files: tuple[str, ...]
    passed: str
    note: str


def tiers(text: str) -> tuple[Tier, ...]:
    """Read the record.

    Raises:
        KeyError: a tier lacks one of its fields.
        tomllib.TOMLDecodeError: it is no TOML.
    """
    return tuple(
        Tier(name, said["command"], tuple(said["files"]), said["passed"], said["note"])
        for name, said in tomllib.loads(text).items()
    )


def kept_files(root: Path = ROOT) -> list[str]:
    """Give the paths that git keeps, from the root, in order."""
    done = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - found like every program of the set-up
        cwd=root,
        capture_output=True,
        check=True,
    )
    return sorted(path for path in done.stdout.decode().split("\0") if path)


def of_tier(tier: Tier, kept: Iterable[str]) -> list[str]:
    """Give those paths that the tier proves something about.

    Raises:
        ValueError: one of its paths names nothing that git keeps.
    """
    kept = list(kept)
    chosen: set[str] = set()
    for wanted in tier.files:
        found = {path for path in kept if path == wanted or path.startswith(f"{wanted}/")}
        if not found:
            raise ValueError(f"{RECORD}: {tier.name}: no file {wanted}")
        chosen |= found
    return sorted(chosen)


def digest(paths: Iterable[str], read: Callable[[str], bytes]) -> str:
    """Give one digest over the names and contents of files, in the order given."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(path.encode() + b"\0" + hashlib.sha256(read(path)).digest())
    return whole.hexdigest()


def digest_now(tier: Tier, root: Path = ROOT) -> str:
    """Give the digest of a tier's files as they lie in the folder."""
    return digest(of_tier(tier, kept_files(root)), lambda path: (root / path).read_bytes())


def noted(text: str, name: str, passed: str, note: str) -> str:
    """Give the record with what a tier's run has shown; all else stays as it is written.

    Raises:
        ValueError: the record has no such tier.
    """
    start = re.search(rf"^\[{re.escape(name)}\]$", text, re.MULTILINE)
    if start is None:
        raise ValueError(f"{RECORD}: no tier {name}")
    rest = re.search(r"^\[", text[start.end() :], re.MULTILINE)
    end = len(text) if rest is None else start.end() + rest.start()
    body = text[start.end() : end]
    body = re.sub(r'^passed = ".*"$', f'passed = "{passed}"', body, flags=re.MULTILINE)
    body = re.sub(r'^note = ".*"$', f'note = "{note}"', body, flags=re.MULTILINE)
    return text[: start.end()] + body + text[end:]


def state(tier: Tier, now: str) -> str:
    """Tell how a proof stands: `stands`, `due`, or `never` where none has been noted.

    Args:
        tier: which.
        now: the digest of its files as they are.
    """
    if not tier.passed:
        return "never"
    return "stands" if tier.passed == now else "due"


def _run(tier: Tier) -> bool:
    """Run a tier; note it when it went through, and its files stayed the same meanwhile."""
    before = digest_now(tier)
    print(f"== {tier.name}: {tier.command}", flush=True)
    began = time.monotonic()
    words = shlex.split(tier.command)
    if subprocess.run(words, cwd=ROOT, check=False).returncode:  # noqa: S603 - our own record
        print(f"{tier.name}: did not go through", file=sys.stderr)
        return False
    minutes = (time.monotonic() - began) / 60
    if digest_now(tier) != before:
        print(f"{tier.name}: its files changed while it ran: not noted", file=sys.stderr)
        return False
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    note = f"{today}, {minutes:.0f} min, {platform.machine()}, Python {platform.python_version()}"
    path = ROOT / RECORD
    path.write_text(noted(path.read_text(), tier.name, before, note))
    print(f"{tier.name}: {note}", flush=True)
    return True


def main(words: Sequence[str] | None = None) -> int:
    """List the tiers, or run some; 0 if all asked for stand, 1 if one does not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "do", choices=("list", "run-due", "run"), help="run-due: those not standing"
    )
    parser.add_argument("names", nargs="*", metavar="TIER", help="of `run`: which")
    given = parser.parse_args(words)
    known = {tier.name: tier for tier in tiers((ROOT / RECORD).read_text())}
    unknown = [name for name in given.names if name not in known]
    if unknown:
        parser.error(f"no tier {', '.join(unknown)}; there are {', '.join(known)}")
    states = {name: state(tier, digest_now(tier)) for name, tier in known.items()}
    if given.do == "list":
        for name, tier in known.items():
            print(f"{states[name]:7} {name:10} {tier.note}".rstrip())
        return 0
    chosen = [known[name] for name in given.names]
    if given.do == "run-due":
        chosen = [tier for name, tier in known.items() if states[name] == "due"]
        for name in (name for name, how in states.items() if how == "never"):
            print(f"{name}: no run is noted; run it once by hand: tools/slow-tiers run {name}")
    if not chosen:
        print("no slow proof is due")
    went = [_run(tier) for tier in chosen]  # each is run, whatever became of the one before
    return 0 if all(went) else 1


if __name__ == "__main__":
    sys.exit(main())
