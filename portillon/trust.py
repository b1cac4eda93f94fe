"""`portillon trust …`: the key ceremony: creates keys; drafts, signs, installs and shows roots.

Signing needs neither a server nor a network: drafts are files that people carry.
"""

import argparse
import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

from admission.trust.keys import key_id
from admission.trust.root import Role, Root, root_digest, signers
from sync_server.ceremony import ROOT_LIFE, RootChange, missing_signatures
from sync_server.errors import InvalidError, ServerError
from sync_server.trust_main import (
    draft,
    install,
    new_key,
    read_public,
    root_in,
    rotate,
    sign_file,
    standing,
    write_root,
)

_ROLES: Final = [role.value for role in Role]
_GROUP: Final = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action")
    show = actions.add_parser("show", help="who may sign what, and the digest that gates pin")
    show.add_argument("file", type=Path, nargs="?", help="a root; without one, the server's newest")
    show.add_argument("--out", type=Path, help="write the server's newest root there, to carry")
    key = actions.add_parser("key", help="make a private key, and its public half beside it")
    key.add_argument("file", type=Path, help="of the private key, say on a stick: anna.key")
    drafting = actions.add_parser("draft", help="draft the root that follows")
    drafting.add_argument("--out", type=Path, required=True)
    for role in _ROLES:
        drafting.add_argument(
            f"--{role}", type=Path, action="append", metavar="PUB", help=f"all keys of {role}"
        )
    drafting.add_argument(
        "--threshold", action="append", default=[], metavar="ROLE=N", help="how many must sign"
    )
    drafting.add_argument("--days", type=int, default=ROOT_LIFE.days, help="how long it is good")
    sign = actions.add_parser("sign", help="add a signature to a root; needs no server")
    sign.add_argument("file", type=Path)
    sign.add_argument("--key", type=Path, required=True, help="private key")
    sign.add_argument("--before", type=Path, help="the root before, from `show --out`")
    installing = actions.add_parser("install", help="have gates follow a signed root")
    installing.add_argument("file", type=Path)
    turning = actions.add_parser("rotate", help="give a role a new key on the server")
    turning.add_argument("--role", choices=_ROLES, required=True)
    turning.add_argument("--out", type=Path, default=Path("next-root.json"), help="for the draft")
    for sub in (show, drafting, installing, turning):
        sub.add_argument("--data", type=Path, default=Path("data"), help="the server's folder")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; see the module's text."""
    try:
        return _ACTIONS[arguments.action](arguments)
    except ServerError as exc:
        print(f"portillon trust: {exc.message}", file=sys.stderr)
        return 1


def _show(arguments: argparse.Namespace) -> int:
    if arguments.file is not None:
        root, raw = root_in(arguments.file)
        _tell(root, root_digest(raw), None)
        missing = missing_signatures(raw, None)
        print(f"Signatures of its own root keys still missing: {missing.by_itself}")
        return 0
    found = asyncio.run(standing(arguments.data))
    _tell(found.root, found.digest, found.here)
    if found.here[Role.ROOT] >= found.root.roles[Role.ROOT].threshold:
        print("The root's keys lie on this server: whoever takes it takes the whole chain.")
        print("  Take them away: `portillon trust key`, then draft, sign and install.")
    for path in found.unused:
        print(f"No longer used, to be destroyed: {path}")
    if arguments.out is not None:
        write_root(arguments.out, found.raw)
        print(f"Written to {arguments.out}")
    return 0


def _tell(root: Root, digest: str, here: dict[Role, int] | None) -> None:
    print(f"Root {root.version} of {root.organization}, good until {root.expires_at:%Y-%m-%d}")
    print(f"Digest: {_grouped(digest)}")
    for role in Role:
        wanted = signers(root, role)
        where = "" if here is None else f", {here[role]} on this server"
        print(f"  {role.value:<9} {wanted.threshold} of {len(wanted.keys)}{where}")
        for public in wanted.keys:
            print(f"            {key_id(public)[:16]}")


def _grouped(digest: str) -> str:
    """Write a digest so that two people can compare it by voice."""
    return " ".join(digest[start : start + _GROUP] for start in range(0, len(digest), _GROUP))


def _key(arguments: argparse.Namespace) -> int:
    public = new_key(arguments.file)
    print(f"Key {key_id(public)[:16]}: private half in {arguments.file}, for nobody else to read;")
    print(f"its public half, to be handed over, in {arguments.file.with_suffix('.pub')}")
    return 0


def _draft(arguments: argparse.Namespace) -> int:
    named = {role: getattr(arguments, role.value) for role in Role}
    change = RootChange(
        keys={role: tuple(map(read_public, paths)) for role, paths in named.items() if paths},
        thresholds=dict(_threshold(text) for text in arguments.threshold),
    )
    raw = asyncio.run(draft(arguments.data, change, timedelta(days=arguments.days)))
    write_root(arguments.out, raw)
    print(f"Drafted in {arguments.out}; digest: {_grouped(root_digest(raw))}")
    return 0


def _threshold(text: str) -> tuple[Role, int]:
    name, _, count = text.partition("=")
    if name not in _ROLES or not count.isdecimal():
        raise InvalidError("threshold", f"--threshold {text}: write ROLE=N, say root=2")
    return Role(name), int(count)


def _sign(arguments: argparse.Namespace) -> int:
    said = sign_file(arguments.file, arguments.key, arguments.before)
    print(f"Signed {arguments.file}; digest: {_grouped(root_digest(root_in(arguments.file)[1]))}")
    print(said)
    return 0


def _install(arguments: argparse.Namespace) -> int:
    root = asyncio.run(install(arguments.data, root_in(arguments.file)[1]))
    print(f"Root {root.version} is installed; gates follow it within minutes.")
    return 0


def _rotate(arguments: argparse.Namespace) -> int:
    raw, is_installed = asyncio.run(rotate(arguments.data, Role(arguments.role)))
    if is_installed:
        print(f"Role {arguments.role} has a new key; gates follow it within minutes.")
        print("`portillon trust show` names the file of the old one.")
    else:
        write_root(arguments.out, raw)
        print(f"The new key is on the server; its root is drafted in {arguments.out}.")
        print("Have the holders of root keys sign it, then install it.")
    return 0


_ACTIONS: Final = {
    "show": _show,
    "key": _key,
    "draft": _draft,
    "sign": _sign,
    "install": _install,
    "rotate": _rotate,
}
