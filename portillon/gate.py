"""`portillon gate run|enrol|stick|pin|rest-arm|try-display`: the daemon, and what is beside it.

Each action imports what it needs when it is called: `rest-arm` is what turns off the relay of a
daemon that has just died, and must not load the whole gate before it does.
"""

import argparse
import asyncio
import getpass
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from appliance.config import Config, load_config
from appliance.errors import ApplianceError, ConfigError
from appliance.page_ports import PIN_CHARACTERS_MIN, PageRole, pin_problem
from portillon import __version__, log_lines

EX_CONFIG: Final = 78  # sysexits(3): the unit is not started again, since a person has to mend it
STATE_FILE: Final = "status.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action")
    run_parser = actions.add_parser("run", help="serve the lane until told to stop")
    enrol_parser = actions.add_parser("enrol", help="become a gate of a server")
    way = enrol_parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--link", help="portillon:enrol?… of the back office, in quotes")
    way.add_argument("--code", help="code of the back office, for the server of the file")
    enrol_parser.add_argument(
        "--pin", default="", help="with --code: SHA-256 of the server's own certificate"
    )
    stick_parser = actions.add_parser(
        "stick", help="take lists from a USB stick and give it the journal; stop the daemon first"
    )
    stick_parser.add_argument(
        "--from", type=Path, required=True, dest="stick", metavar="FOLDER", help="where it is"
    )
    pin_parser = actions.add_parser("pin", help="choose a PIN of the gate's own page")
    pin_parser.add_argument(
        "--role",
        type=PageRole,
        choices=list(PageRole),
        default=PageRole.SUPERVISOR,
        metavar="ROLE",
        help="supervisor (the default) or steward",
    )
    pin_parser.add_argument(
        "--remove", action="store_true", help="let nobody in with this role any more"
    )
    rest_parser = actions.add_parser(
        "rest-arm", help="bring the relays of a daemon that was killed to rest"
    )
    try_parser = actions.add_parser(
        "try-display", help="show all that display, light and sound can tell; stop the daemon first"
    )
    try_parser.add_argument(
        "--seconds", type=float, default=3.0, help="how long each is shown; 3 unless told"
    )
    subs = (run_parser, enrol_parser, stick_parser, pin_parser, rest_parser, try_parser)
    for sub in subs:
        sub.add_argument("--config", type=Path, default=Path("/etc/portillon/gate.toml"))
        sub.add_argument("--log", choices=("text", "json"), default="text")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; see the module's text."""
    log_lines.set_up(arguments.log)
    status = 0
    try:
        config = load_config(arguments.config)
        if arguments.action == "enrol":
            _enrol(config, arguments)
        elif arguments.action == "pin":
            status = _choose_pin(config, arguments.role, is_removed=arguments.remove)
        elif arguments.action == "rest-arm":
            _rest_arm(config)
        elif arguments.action == "try-display":
            status = _try_display(config, arguments.seconds)
        elif arguments.action == "stick":
            status = _visit(config, arguments.stick)
        else:
            _run(config)
    except* ApplianceError as group:  # anything else is a fault of the program, and is told as one
        reasons = list(_reasons(group))
        for reason in reasons:
            print(f"portillon gate: {reason}", file=sys.stderr)
        is_config = all(isinstance(reason, ConfigError) for reason in reasons)
        status = EX_CONFIG if arguments.action == "run" and is_config else 1
    return status


def _run(config: Config) -> None:
    from appliance.main import run_gate
    from portillon.service_notices import notices_from

    watch = notices_from(os.environ)
    runtime = os.environ.get("RUNTIME_DIRECTORY", "")
    folder = Path(runtime) if runtime else None
    asyncio.run(run_gate(config, __version__, watch, _state_file(folder), folder))


def _rest_arm(config: Config) -> None:
    from appliance.arm_opening import rest_arm

    rest_arm(config)


def _try_display(config: Config, seconds: float) -> int:
    from appliance.clock import SystemClock
    from appliance.faces_trial import try_faces

    return 0 if asyncio.run(try_faces(config, SystemClock(None), seconds, print)) else 1


def _enrol(config: Config, arguments: argparse.Namespace) -> None:
    from appliance.enrolling import enrol, enrol_by_text, link_of

    if arguments.link is not None:
        welcome = asyncio.run(enrol_by_text(config, arguments.link))
    else:
        welcome = asyncio.run(enrol(config, link_of(config, arguments.code, arguments.pin)))
    identity = welcome.identity
    print(f"This is now gate {identity.gate_name!r} of {identity.server}.")
    print(f"Check string: {welcome.check}. The server's page must show the same.")
    if welcome.is_pending:
        print("It gets its lists once an operator has confirmed that there.")


def _choose_pin(config: Config, role: PageRole, *, is_removed: bool) -> int:
    """Ask for a PIN, twice at a keyboard and once where it is piped in; keep its hash."""
    from appliance.storage.page_certificate import CERTIFICATE_FILE, fingerprint_of
    from appliance.storage.pin_file import PinFile

    pin = "" if is_removed else _asked_pin(role)
    if pin is None:
        print("The two are not the same; nothing was changed.", file=sys.stderr)
        return 1
    if not is_removed and (problem := pin_problem(role, pin)):
        least = PIN_CHARACTERS_MIN[role]
        print(
            f"That PIN is too {problem}: at least {least} characters, and not what everybody tries "
            "first; nothing was changed.",
            file=sys.stderr,
        )
        return 1
    asyncio.run(PinFile(config.data).choose(role, pin))
    if is_removed:
        print(f"The {role.value}'s PIN is removed.")
    else:
        print(f"The {role.value}'s PIN is chosen. Sessions of the one before are over.")
    certificate = config.page.certificate or config.data / CERTIFICATE_FILE
    if config.page.is_tls and certificate.exists():
        print(f"The page's certificate, SHA-256: {fingerprint_of(certificate)}")
    return 0


def _asked_pin(role: PageRole) -> str | None:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    pin = getpass.getpass(f"New PIN of the {role.value}: ")
    return pin if pin == getpass.getpass("The same once more: ") else None


def _visit(config: Config, stick: Path) -> int:
    from appliance.stick_main import visit_stick

    visit = asyncio.run(visit_stick(config, stick, __version__))
    print(f"{visit.records} record(s) of the journal are on the stick.")
    if visit.is_complete:
        print("Every list that it brings for this gate is installed.")
        return 0
    print("Not every list is installed; the lines above say why.", file=sys.stderr)
    return 1


def _state_file(folder: Path | None) -> Callable[[bytes], None] | None:
    """Give what puts the report of the gate's state into the folder that systemd made for it."""
    from appliance.storage.lasting_file import write_passing

    return None if folder is None else partial(write_passing, folder / STATE_FILE, mode=0o644)


def _reasons(error: BaseException) -> Iterator[BaseException]:
    """Give each error of a group, however deep it lies."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _reasons(one)
    else:
        yield error
