"""The parsers against the fuzzer's corpus, and a little of its work; tools/fuzz does the rest."""

import random
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

import fuzz_run
import fuzz_targets
from fuzz_mutations import mutations
from fuzz_seeds import seeds
from fuzz_targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
MUTATIONS = 150
CORPUS_BYTES_MAX = 1 << 20  # of everything together: it is for reading on, not a store


@pytest.fixture
def not_for_ever():
    fuzz_run.guard_time()
    signal.setitimer(signal.ITIMER_REAL, 10 * fuzz_run.INPUT_S_MAX)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


def kept(target: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.usefixtures("not_for_ever")
def test_what_the_fuzzer_kept_breaks_nothing(target):
    for data in kept(target):
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.usefixtures("not_for_ever")
def test_what_is_altered_a_little_breaks_nothing(target):
    for data in islice(mutations(kept(target), target, random.Random(1)), MUTATIONS):
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_begins_with_real_documents(target):
    files = {path.name for path in (CORPUS / target).glob("seed-*")}
    assert files == {f"seed-{name}" for name in seeds()[target]}, "run tools/fuzz --seeds"


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "pretix_payload"])
def test_a_real_document_is_read_and_not_only_refused(target, monkeypatch):
    read = []
    attempt = fuzz_targets.attempt

    def counting(*given, **named):
        result = attempt(*given, **named)
        read.append(result)
        return result

    monkeypatch.setattr(fuzz_targets, "attempt", counting)
    for data in seeds()[target].values():
        TARGETS[target](data)
    assert any(result is not None for result in read)


def test_the_corpus_is_small_and_of_targets_that_there_are():
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*")) < CORPUS_BYTES_MAX


# --- the fuzzer itself ------------------------------------------------------------------------


BROKEN = """
import sys
from pathlib import Path
import fuzz_run, fuzz_targets
fuzz_run.INPUT_S_MAX = 0.2
def target(data):
    {what}
fuzz_targets.TARGETS["link"] = target
fuzz_run.with_mutations("link", 20, 1, Path(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("while True: pass", "InputTooSlowError"),
        ("bytearray(1 << 30)", "MemoryError"),
        ("assert not data", "AssertionError"),
        ("int('x')", "ValueError"),
    ],
    ids=["endless", "greedy", "a broken property", "an error that is not declared"],
)
def test_the_fuzzer_notices_what_it_is_there_for_and_keeps_the_input(tmp_path, what, error):
    run = subprocess.run(
        [sys.executable, "-c", BROKEN.format(what=what), str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(fuzz_run.__file__).parent,
    )
    assert run.returncode != 0
    assert error in run.stderr
    assert (tmp_path / "crash-link").is_file()
