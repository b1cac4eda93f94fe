"""`portillon server init|run|add-user`: sets a sync server up, runs it, lets more people in."""

import argparse
import asyncio
import logging
import sys
from dataclasses import replace
from pathlib import Path

from portillon import log_lines
from sync_server.account_ports import Role
from sync_server.config import ServerConfig, check, load_config
from sync_server.errors import ServerError
from sync_server.main import add_user, init_server, run_server


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
    for sub in (init_parser, run_parser, user_parser):
        sub.add_argument("--config", type=Path, help="TOML file; without one, defaults")
        sub.add_argument("--data", type=Path, help="folder of database, keys and lists")
        sub.add_argument("--log", choices=("text", "json"), default="text")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; see the module's text."""
    log_lines.set_up(arguments.log)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        config = _config(arguments)
        if arguments.action == "init":
            _tell(config, arguments.login, asyncio.run(init_server(config.data, arguments.login)))
        elif arguments.action == "add-user":
            role = Role(arguments.role)
            password = asyncio.run(add_user(config.data, arguments.login, role))
            _show_password(arguments.login, password)
        else:
            asyncio.run(run_server(config))
    except ServerError as exc:
        print(f"portillon server: {exc.message}", file=sys.stderr)
        return 1
    return 0


def _config(arguments: argparse.Namespace) -> ServerConfig:
    """Give the file's values, with those of the command line above them."""
    config = ServerConfig() if arguments.config is None else load_config(arguments.config)
    given = {name: getattr(arguments, name, None) for name in ("data", "host", "port")}
    config = replace(config, **{name: value for name, value in given.items() if value is not None})
    check(config, "command line")
    return config


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
