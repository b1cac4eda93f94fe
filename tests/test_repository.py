"""Checks of the repository itself: what its files may name, hold and be called."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent
HOUSES: Final = ("admission", "appliance", "sync_server", "caretaker", "portillon")
LINES_MAX: Final = 500
# Names of files that end up holding everything that nobody found a place for.
CATCH_ALL_NAMES: Final = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
FUZZ_CORPUS: Final = ROOT / "tests/fuzz/corpus"  # bytes, most of them no text
BINARY_SUFFIXES: Final = {".png", ".jpg", ".jpeg", ".webp", ".ico", ".mo", ".ttf", ".woff2", ".wav"}

# The patterns are written in pieces, so that this file does not hold what it looks for.
REGISTRY_HOSTS: Final = re.compile(
    r"\b(py" r"pi\.org|python" r"hosted\.org|pi" r"wheels\.org|"
    r"(deb|security|snapshot|ftp|archive)\." r"(debian|ubuntu|raspberrypi)\.\w+|"
    "registry" r"\.(npmjs|yarnpkg)\.\w+)\b"
)  # fmt: skip
MACHINE_PATHS: Final = re.compile(r"(?<![\w.~$}-])/" r"(home|work|Users|mnt)/\w")
OUTSIDE_FOLDER: Final = re.compile(r"(?<![\w/-])(\.\./)*" "sha" r"red/\w")
LEFT_UNDONE: Final = re.compile(
    r"pytest\.mark\." r"(skip|skipif|xfail)\b|pytest\." r"(skip|xfail)\(|"
    r"#\s*type:\s*" r"ignore(?!\[)|\bNot" r"ImplementedError\b|\b(TO" r"DO|FIX" r"ME)\b"
)  # fmt: skip
SQL: Final = re.compile(
    r"\s*(SELECT\s.+\sFROM|INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|"
    r"(CREATE|ALTER|DROP)\s+(TABLE|INDEX|VIEW|TRIGGER)|PRAGMA)\s",
    re.DOTALL,
)


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file of the repository, as git knows them; one just deleted is left out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def text_files() -> Iterator[tuple[str, str]]:
    for path in tracked_files():
        if path.suffix not in BINARY_SUFFIXES and FUZZ_CORPUS not in path.parents:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def python_files(*folders: str) -> Iterator[Path]:
    for path in tracked_files():
        parts = path.relative_to(ROOT).parts
        if path.suffix == ".py" and (not folders or parts[0] in folders):
            yield path


def lines_matching(pattern: re.Pattern[str], suffix: str = "") -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in text_files()
        if name.endswith(suffix)
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


@cache
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_no_file_names_a_host_of_a_package_registry() -> None:
    assert lines_matching(REGISTRY_HOSTS) == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert lines_matching(MACHINE_PATHS) == []


def test_no_file_refers_to_a_folder_beside_the_repository() -> None:
    assert lines_matching(OUTSIDE_FOLDER) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (REGISTRY_HOSTS, "see https://py·pi.org/simple"),
        (REGISTRY_HOSTS, "deb http://deb.deb·ian.org/debian bookworm main"),
        (MACHINE_PATHS, "open('/ho·me/ada/list.csv')"),
        (OUTSIDE_FOLDER, "see `../sha·red/notes`"),
        (LEFT_UNDONE, "x = 1  # TO·DO: later"),
        (LEFT_UNDONE, "@pytest.mark.sk·ip"),
        (SQL, "SELECT name\n  FROM gates"),
    ],
)
def test_the_patterns_find_what_they_are_for(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line.replace("·", ""))  # the dot keeps this file itself clean


def test_nothing_is_skipped_ignored_or_put_off() -> None:
    assert lines_matching(LEFT_UNDONE, ".py") == []


def swallows_everything(handler: ast.ExceptHandler) -> bool:
    """Whether a handler takes any exception there is and does not let it go on."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {"" if kind is None else ast.unparse(kind) for kind in kinds}
    last = handler.body[-1]
    goes_on = isinstance(last, ast.Raise) and last.exc is None
    return bool(names & {"", "Exception", "BaseException"}) and not goes_on


@pytest.mark.parametrize(
    ("source", "swallowed"),
    [
        ("try: f()\nexcept (OSError, Exception) as exc: g()", True),
        ("try: f()\nexcept: g()", True),
        ("try: f()\nexcept BaseException:\n g()\n raise", False),
        ("try: f()\nexcept OSError: g()", False),
    ],
)
def test_a_handler_that_swallows_everything_is_recognised(source: str, swallowed: bool) -> None:
    handlers = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ExceptHandler)]
    assert [swallows_everything(handler) for handler in handlers] == [swallowed]


def test_only_supervision_swallows_every_exception() -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in python_files(*HOUSES)
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ExceptHandler) and swallows_everything(node)
    }
    assert found <= {"appliance/supervision.py", "sync_server/supervision.py"}


@pytest.mark.parametrize("suffix", [".py", ".js"])
def test_no_module_is_longer_than_a_person_reads(suffix: str) -> None:
    long = {
        name: text.count("\n")
        for name, text in text_files()
        if name.endswith(suffix) and "/vendor/" not in name and text.count("\n") > LINES_MAX
    }
    assert long == {}


def test_no_module_is_named_after_what_has_no_name() -> None:
    assert [path for path in python_files() if path.stem in CATCH_ALL_NAMES] == []


def test_test_files_have_names_of_their_own() -> None:
    names = [path.name for path in python_files("tests") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


def test_sql_stands_under_storage_only() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files(*HOUSES)
        if "storage" not in path.parts
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value)
    ]
    assert found == []


def imported_roots(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_every_outside_library_has_a_contract_that_names_its_rooms() -> None:
    imported = {root for path in python_files(*HOUSES) for root in imported_roots(path)}
    outside = imported - set(sys.stdlib_module_names) - set(HOUSES)
    held = {
        module
        for contract in pyproject()["tool"]["importlinter"]["contracts"]
        if contract["id"].startswith("library-")
        for module in contract["protected_modules"]
    }
    assert outside - held == set()


def test_every_folder_of_source_has_a_place_in_the_house() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in python_files()}
    assert top <= {*HOUSES, "tests", "benchmarks", "tools", "image-build"}


def locked_versions(python_version: str, machine: str) -> dict[str, str]:
    environment = {
        "python_version": python_version,
        "python_full_version": f"{python_version}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
        "platform_machine": machine,
    }
    pins = re.findall(r"^(\S+)==(\S+)(?: ; (.+?))? \\$", lock_text(), re.MULTILINE)
    return {
        name: version
        for name, version, marker in pins
        if not marker or Marker(marker).evaluate(environment)
    }


@cache
def lock_text() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python_version", ["3.11", "3.13"])
def test_the_lock_satisfies_every_dependency(python_version: str, machine: str) -> None:
    project = pyproject()["project"]
    wanted = [
        Requirement(text)
        for group in (project["dependencies"], *project["optional-dependencies"].values())
        for text in group
    ]
    locked = locked_versions(python_version, machine)
    environment = {"python_version": python_version, "platform_machine": machine}
    unmet = [
        str(requirement)
        for requirement in wanted
        if not requirement.marker or requirement.marker.evaluate(environment)
        if not requirement.specifier.contains(
            locked.get(canonicalize_name(requirement.name), "0"), prereleases=True
        )
    ]
    assert unmet == [], "run `make lock`"


def test_the_lock_holds_a_hash_for_every_pin_and_no_address() -> None:
    pins = re.split(r"^(?=\S+==)", lock_text(), flags=re.MULTILINE)[1:]
    assert len(pins) > 50
    assert [pin.partition(" ")[0] for pin in pins if "--hash=sha256:" not in pin] == []
    assert "://" not in lock_text()


def test_scripts_are_executable_and_parse() -> None:
    scripts = [
        path
        for path in tracked_files()
        if not path.suffix and path.read_bytes().startswith(b"#!/usr/bin/env bash")
    ]
    assert {path.name for path in scripts} >= {"setup", "lock", "fresh", "run"}
    for script in scripts:
        assert os.access(script, os.X_OK), script
        subprocess.run(["bash", "-n", str(script)], check=True)


def test_setup_says_what_it_needs_when_no_python_fits() -> None:
    refused = subprocess.run(
        [str(ROOT / "tools/setup")],
        env={"PATH": os.environ["PATH"], "PYTHON": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "needs CPython 3.11, 3.12 or 3.13" in refused.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("LICENSE", "Apache License"),
        ("CHANGELOG.md", "## [Unreleased]"),
        ("CONTRIBUTING.md", "make test"),
        ("README.md", "make demo"),
        ("docs/rules.md", "# Passage rules"),
        ("docs/glossary.md", "turnstile"),
        ("docs/adr/0001-structure.md", "## Decision"),
    ],
)
def test_the_documents_that_a_reader_looks_for_are_there(name: str, words: str) -> None:
    assert words in (ROOT / name).read_text(encoding="utf-8")


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{path.relative_to(ROOT)} -> {target}"
        for path in tracked_files()
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:|#", target)
        if not (path.parent / target.partition("#")[0]).exists()
    ]
    assert broken == []
