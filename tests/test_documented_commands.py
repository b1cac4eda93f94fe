"""Every command that a document shows exists, with the options it is shown with.

Documents show commands in fenced blocks marked `console`, one to a line after `$ `;
what stands there without a prompt is output and not looked at.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
BLOCK: Final = re.compile(r"^( *)```console\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
# Commands of the system that documents may show; whether they exist is not this project's doing.
OF_THE_SYSTEM: Final = {
    "apt", "apt-get", "cd", "chromium", "cp", "curl", "dpkg", "git", "install", "journalctl",
    "kill", "ln", "ls", "mkdir", "mount", "nmcli", "ping", "python3", "qemu-system-aarch64",
    "qemu-system-x86_64", "rauc", "rm", "scp", "ssh", "systemctl", "tar", "udevadm", "usermod",
}  # fmt: skip


def commands_of(text: str) -> Iterator[list[str]]:
    """Each simple command of a document, as words; pipes and chains are taken apart."""
    for block in BLOCK.finditer(text):
        for line in re.sub(r"\\\n\s*", " ", block[2]).splitlines():
            prompt = re.match(r"\s*\$ (.+)", line)
            if prompt is None:
                continue
            lexer = shlex.shlex(prompt[1], posix=True, punctuation_chars="|&;<>")
            lexer.whitespace_split = True
            lexer.commenters = "#"
            words: list[str] = []
            for word in [*lexer, ";"]:
                if set(word) <= set("|&;"):
                    if words:
                        yield words
                    words = []
                else:
                    words.append(word)


def bare(words: list[str]) -> list[str]:
    """A command without `sudo`, variables set before it, and where it sends its output."""
    while words and (words[0] == "sudo" or re.fullmatch(r"\w+=.*", words[0])):
        words = words[3:] if words[:2] == ["sudo", "-u"] else words[1:]
    return list(takewhile(lambda word: set(word) - set("<>"), words))


def documented() -> list[tuple[str, list[str]]]:
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
    return [
        (str(path.relative_to(ROOT)), bare(words))
        for path in documents
        if path.exists()
        for words in commands_of(path.read_text(encoding="utf-8"))
    ]


@cache
def make_targets() -> frozenset[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))


@cache
def help_of(*subcommand: str) -> str:
    shown = subprocess.run(
        [sys.executable, "-m", "portillon", *subcommand, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, f"portillon {' '.join(subcommand)}: {shown.stderr}"
    return shown.stdout


def complaint(words: list[str]) -> str | None:
    """What is wrong with a documented command, or None."""
    program = Path(words[0]).name
    arguments = words[1:]
    if program == "make":
        targets = [word for word in arguments if "=" not in word and not word.startswith("-")]
        missing = [target for target in targets if target not in make_targets()]
        return f"no such target: {missing}" if missing else None
    if program == "portillon":
        subcommand = list(takewhile(lambda word: not word.startswith("-"), arguments))
        shown = help_of(*subcommand)
        options = [word.partition("=")[0] for word in arguments if re.match(r"--?[a-z]", word)]
        unknown = [name for name in options if not re.search(rf"(?<!\S){name}(?![\w-])", shown)]
        return f"its --help does not know {unknown}" if unknown else None
    if (ROOT / words[0]).is_file() or program in OF_THE_SYSTEM:
        return None
    return "neither a target, nor a command of portillon, nor one of the system"


def test_every_documented_command_exists_with_its_options() -> None:
    complaints = [
        f"{document}: {shlex.join(words)}: {wrong}"
        for document, words in documented()
        if words and (wrong := complaint(words))
    ]
    assert complaints == []


def test_the_documents_show_the_two_commands_of_a_first_visit() -> None:
    shown = [words for document, words in documented() if document == "README.md"]
    assert ["make", "demo"] in shown
    assert ["make", "test"] in shown


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("$ make test  # all of it", [["make", "test"]]),
        ("$ cd x && sudo A=1 make demo", [["cd", "x"], ["make", "demo"]]),
        ("$ portillon trust \\\n    --file a.json | tee x > y", [
            ["portillon", "trust", "--file", "a.json"], ["tee", "x"]]),
        ("output, not a command", []),
    ],
)  # fmt: skip
def test_commands_are_found_in_console_blocks(line: str, words: list[list[str]]) -> None:
    found = commands_of(f"text\n\n```console\n{line}\n```\n\n    $ elsewhere\n")
    assert [bare(command) for command in found] == words


@pytest.mark.parametrize(
    "words",
    [["make", "no-such-target"], ["portillion", "demo"], ["portillon", "--no-such-option"]],
)
def test_a_wrong_command_in_a_document_is_found(words: list[str]) -> None:
    assert complaint(words)
