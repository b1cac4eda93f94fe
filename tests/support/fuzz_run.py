"""One target in a process of its own: `python tests/support/fuzz_run.py TARGET …`; see tools/fuzz.

By atheris where there is one, which follows the branches taken; else by plain mutation, which it
says. Both end with a status other than 0 at the first input that breaks a property, raises what is
not declared, takes over two seconds, or needs over half a gigabyte, and leave it in a file.
"""

import argparse
import importlib.util
import random
import resource
import shlex
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

REPOSITORY: Final = Path(__file__).parents[2]
CORPUS: Final = REPOSITORY / "tests" / "fuzz" / "corpus"
INPUT_S_MAX: Final = 2
MEMORY_MB_MAX: Final = 512
sys.path[:0] = [str(REPOSITORY), str(Path(__file__).parent)]


class InputTooSlowError(Exception):
    """One input took over INPUT_S_MAX."""


def _too_slow(number: int, frame: FrameType | None) -> NoReturn:
    raise InputTooSlowError(f"one input took over {INPUT_S_MAX} s")


def guard_time() -> None:
    """Let an input that takes too long raise; to be armed before each."""
    signal.signal(signal.SIGALRM, _too_slow)


def with_atheris(target: str, folders: list[str], options: list[str]) -> None:
    """Fuzz by libFuzzer; ends the process."""
    import atheris

    from fuzz_mutations import JSON, LENGTH_MAX, MSGPACK, mutated

    with atheris.instrument_imports(
        include=["admission", "appliance.readers"], enable_loader_override=False
    ):
        from fuzz_targets import TARGETS

    again = [sys.executable, __file__, target, "--new=."]  # libFuzzer runs itself in a shell
    arguments = [
        shlex.join(again),
        f"-timeout={INPUT_S_MAX}",
        f"-rss_limit_mb={MEMORY_MB_MAX}",
        f"-max_len={LENGTH_MAX}",
        *options,
        *folders,
    ]

    def by_field(data: bytes, size_max: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.5:
            return atheris.Mutate(data, size_max)
        return mutated(data, [data], target, chance)[:size_max]

    custom = {"custom_mutator": by_field} if target in JSON | MSGPACK else {}
    atheris.Setup(arguments, TARGETS[target], **custom)
    atheris.Fuzz()


def with_mutations(target: str, seconds: float, seed: int, found: Path) -> int:
    """Fuzz by plain mutation for a while; give the number of inputs tried."""
    from fuzz_mutations import mutations
    from fuzz_targets import TARGETS

    bytes_max = MEMORY_MB_MAX << 20
    resource.setrlimit(resource.RLIMIT_AS, (bytes_max, bytes_max))
    guard_time()
    corpus = [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]
    end, tried = time.monotonic() + seconds, 0
    for data in mutations(corpus, target, random.Random(seed)):
        if time.monotonic() >= end:
            break
        signal.setitimer(signal.ITIMER_REAL, INPUT_S_MAX)
        try:
            TARGETS[target](data)
        except BaseException:
            path = found / f"crash-{target}"
            path.write_bytes(data)
            print(f"{target}: this input breaks it: {path}", file=sys.stderr)
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        tried += 1
    return tried


def has_atheris() -> bool:
    """Tell whether atheris is installed here."""
    return importlib.util.find_spec("atheris") is not None


def main() -> None:
    """Fuzz one target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--new", type=Path, required=True, help="folder for inputs that are found")
    parser.add_argument("--merge", type=Path, help="folder; what adds coverage is copied to --new")
    parser.add_argument("--plain", action="store_true", help="no atheris, even where it is")
    args, of_libfuzzer = parser.parse_known_args()
    kept = str(CORPUS / args.target)
    if of_libfuzzer:
        with_atheris(args.target, [], of_libfuzzer)
    elif args.plain or not has_atheris():
        tried = with_mutations(args.target, args.seconds, args.seed, args.new)
        print(f"{args.target}: tried {tried} inputs by plain mutation")
    elif args.merge:
        with_atheris(args.target, [str(args.new), str(args.merge)], ["-merge=1"])
    else:
        options = [f"-max_total_time={max(1, round(args.seconds))}", f"-seed={args.seed}"]
        options += [f"-artifact_prefix={args.new}/crash-{args.target}-", "-print_final_stats=1"]
        with_atheris(args.target, [str(args.new), kept], options)


if __name__ == "__main__":
    main()
