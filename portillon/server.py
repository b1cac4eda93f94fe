"""`portillon server init|run|…`: sets a server up, runs it, and keeps its users and releases."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from portillon import __version__, log_lines
from portillon.service_notices import notices_from
from sync_server.account_ports import Role
from sync_server.config import ServerConfig, Tls, check, load_config
from sync_server.errors import ConfigError, ServerError
from sync_server.main import (
    add_user,
    init_server,
    renew_tls,
    renumber_feeds,
    run_server,
    switch_tls,
)
from sync_server.release_main import add_release, list_releases, withdraw_release
from sync_server.site_main import has_joined, join_site, run_site

EX_CONFIG: Final = 78  # sysexits(3): the unit is not started again, since a person has to mend it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action")
    init_parser = actions.add_parser("init", help="make database, signing key and first login")
    run_parser = actions.add_parser("run", help="serve until told to stop")
    user_parser = actions.add_parser("add-user", help="make another login")
    init_parser.add_argument("--login", default="master", help="of the first user")
    user_parser.add_argument("--login", required=True)
    user_parser.add_argument("--role", choices=[role.value for role in Role], default="operator")
    run_parser.add_argument("--host", help="address to listen on")
    run_parser.add_argument("--port", type=int, help="TCP port")
    tls_parser = actions.add_parser("renew-tls", help="replace the server's own certificate")
    tls_parser.add_argument(
        "--switch", action="store_true", help="the prepared certificate takes over"
    )
    tls_parser.add_argument(
        "--leave-behind", action="store_true",
        help="with --switch: even if gates do not know the new one; they have to enrol anew",
    )  # fmt: skip
    run_parser.add_argument(
        "--tls", choices=[mode.value for mode in Tls], help="who protects what travels"
    )
    renumber_parser = actions.add_parser(
        "renumber", help="after a backup was put back: have gates read all feeds anew"
    )
    join_parser = actions.add_parser(
        "join", help="make this machine a site server, which carries for a venue's gates"
    )
    join_parser.add_argument("--upstream", required=True, metavar="LINK", help="of the site's page")
    join_parser.add_argument(
        "--tls", choices=[mode.value for mode in Tls], help="who protects what travels"
    )
    add_parser = actions.add_parser("add-release", help="take in a bundle of gates' software")
    add_parser.add_argument("file", type=Path, metavar="FILE", help="the .raucb file")
    add_parser.add_argument("--version", required=True, help="of what is in it, such as 0.2.0+5")
    add_parser.add_argument(
        "--compatible", required=True, help="machines that it is for: portillon-gate-FLAVOUR-ARCH"
    )
    add_parser.add_argument("--note", default="", help="what is new, for people")
    list_parser = actions.add_parser("releases", help="show the bundles that were taken in")
    withdraw_parser = actions.add_parser("withdraw-release", help="offer one to nobody any more")
    withdraw_parser.add_argument("release", metavar="ID", help="as `releases` shows it")
    of_users = (init_parser, join_parser, run_parser, user_parser, tls_parser, renumber_parser)
    for sub in (*of_users, add_parser, list_parser, withdraw_parser):
        sub.add_argument("--config", type=Path, help="TOML file; without one, defaults")
        sub.add_argument("--data", type=Path, help="folder of database, keys and lists")
        sub.add_argument("--log", choices=("text", "json"), default="text")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; see the module's text."""
    log_lines.set_up(arguments.log)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        config = _config(arguments)
    except ConfigError as exc:
        print(f"portillon server: {exc.message}", file=sys.stderr)
        return EX_CONFIG if arguments.action == "run" else 1
    try:
        if arguments.action == "init":
            made = asyncio.run(init_server(config.data, arguments.login, config.names))
            _tell(config, arguments.login, made)
        elif arguments.action == "join":
            _join(config, arguments.upstream)
        elif arguments.action == "renew-tls":
            _renew_tls(config, arguments.switch, arguments.leave_behind)
        elif arguments.action == "renumber":
            asyncio.run(renumber_feeds(config.data))
            print("The feeds' numbers have a new name: every gate reads its feeds from the start.")
        elif arguments.action in _OF_RELEASES:
            _OF_RELEASES[arguments.action](config, arguments)
        elif arguments.action == "add-user":
            role = Role(arguments.role)
            password = asyncio.run(add_user(config.data, arguments.login, role))
            _show_password(arguments.login, password)
        elif has_joined(config.data):
            asyncio.run(run_site(config, __version__, notices_from(os.environ)))
        else:
            asyncio.run(run_server(config, notices_from(os.environ)))
    except ServerError as exc:
        print(f"portillon server: {exc.message}", file=sys.stderr)
        return 1
    return 0


def _config(arguments: argparse.Namespace) -> ServerConfig:
    """Give the file's values, with those of the command line above them."""
    config = ServerConfig() if arguments.config is None else load_config(arguments.config)
    given = {name: getattr(arguments, name, None) for name in ("data", "host", "port", "tls")}
    if given["tls"] is not None:
        given["tls"] = Tls(given["tls"])
    config = replace(config, **{name: value for name, value in given.items() if value is not None})
    check(config, "command line")
    return config


def _join(config: ServerConfig, link: str) -> None:
    """Join the central server, and say what is to be compared and done then."""
    welcome = asyncio.run(join_site(config, link))
    who = welcome.identity
    print(f"This is now site server {who.name!r} of {who.venue!r}, below {who.upstream}")
    print(f"Check string: {welcome.check}")
    print("The central server's page must show the same digits: compare them, then run it.")


def _renew_tls(config: ServerConfig, switch: bool, leave_behind: bool) -> None:
    """Prepare the next certificate, or have it take over, and say what is to be done then."""
    if not switch:
        pins = asyncio.run(renew_tls(config.data, config.names))
        print(f"The next certificate is ready: SHA-256 {(pins.following or b'').hex(':').upper()}")
        print("Start the server anew: it tells its gates. Days later: renew-tls --switch.")
        return
    pins = asyncio.run(switch_tls(config.data, leave_behind=leave_behind))
    print(f"The server's certificate is now: SHA-256 {pins.current.hex(':').upper()}")
    print("Start the server anew.")


def _add_release(config: ServerConfig, arguments: argparse.Namespace) -> None:
    made = asyncio.run(
        add_release(
            config.data, arguments.file, arguments.version, arguments.compatible, arguments.note
        )
    )
    print(f"Version {made.version} for {made.compatible} is here: {made.size_bytes} bytes,")
    print(f"SHA-256 {made.sha256}. Nothing goes out before a rollout is begun on the fleet's page.")


def _list_releases(config: ServerConfig, arguments: argparse.Namespace) -> None:
    del arguments
    for one in asyncio.run(list_releases(config.data)):
        state = "offered" if one.withdrawn_ms is None else "withdrawn"
        print(f"{one.id}  {one.version:12} {one.compatible:36} {one.size_bytes:12}  {state}")


def _withdraw_release(config: ServerConfig, arguments: argparse.Namespace) -> None:
    asyncio.run(withdraw_release(config.data, arguments.release))
    print("It is offered to nobody any more. Gates that run it go on running it.")


_OF_RELEASES: Final[dict[str, Callable[[ServerConfig, argparse.Namespace], None]]] = {
    "add-release": _add_release,
    "releases": _list_releases,
    "withdraw-release": _withdraw_release,
}


def _tell(config: ServerConfig, login: str, password: str | None) -> None:
    if password is None:
        print(f"{config.data} is set up already; nothing was changed.")
        return
    print(f"{config.data} is set up.")
    _show_password(login, password)


def _show_password(login: str, password: str) -> None:
    print("Sign in with")
    print(f"  login:    {login}")
    print(f"  password: {password}")
    print("The password is kept nowhere: write it down now.")
