"""What leads into a gate from its network, as a finished tree has it: ssh and the packet filter."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from imaging.hooks import SSH_GENERATOR_MASK

# What sshd has to be told, keywords in small letters; one that is absent has sshd's own default.
SSHD: Final = {
    "authorizedkeysfile": "/run/portillon-care/authorized_keys",
    "hostkey": "/var/lib/portillon-ssh/ed25519",
    "kbdinteractiveauthentication": "no",
    "passwordauthentication": "no",
    "permitrootlogin": "prohibit-password",
}
# What would let somebody in by another way than a key of that file.
SSHD_FORBIDDEN: Final = (
    "authorizedkeyscommand", "authorizedprincipalscommand", "gssapiauthentication",
    "hostbasedauthentication", "permitemptypasswords", "trustedusercakeys",
)  # fmt: skip
_FILTER: Final = re.compile(r"\bhook input\b[^;]*;\s*policy (\w+)\s*;")


def open_doors(tree: Path) -> Iterator[str]:
    """Give what of a tree lets in whom it must not."""
    yield from _ssh(tree)
    yield from _packets(tree)


def _ssh(tree: Path) -> Iterator[str]:
    said = sshd_settings(tree)
    for keyword, wanted in SSHD.items():
        if (found := said.get(keyword)) != wanted:
            yield f"sshd: {keyword} is {found or 'not set'}, and has to be {wanted}"
    for keyword in (*SSHD_FORBIDDEN, "match"):
        if said.get(keyword, "no") not in {"no", "none"}:
            yield f"sshd: {keyword} is another way in than a key of gate.toml"
    unit = tree / "usr/lib/systemd/system/ssh.service.d/20-portillon.conf"
    condition = f"ConditionPathExists={SSHD['authorizedkeysfile']}"
    if not unit.exists() or condition not in unit.read_text().splitlines():
        yield "ssh.service starts without keys"
    sockets = sorted((tree / "etc/systemd/system").glob("*.wants/ssh*.socket"))
    if sockets:
        yield f"{sockets[0].name} opens ssh's port without keys"
    mask = tree / SSH_GENERATOR_MASK
    if not mask.is_symlink() or str(mask.readlink()) != "/dev/null":
        yield "systemd opens ssh on sockets of its own (systemd-ssh-generator)"


def sshd_settings(tree: Path) -> dict[str, str]:
    """Give what a tree's sshd is told: of a keyword that is named twice, the first counts."""
    found: dict[str, str] = {}
    _read(tree, tree / "etc/ssh/sshd_config", found)
    return found


def _read(tree: Path, path: Path, found: dict[str, str]) -> None:
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        keyword, _, value = line.split("#")[0].strip().replace("=", " ", 1).partition(" ")
        keyword, value = keyword.lower(), value.strip()
        if keyword == "match":  # what follows holds for some alone
            found["match"] = value
            return
        if keyword == "include":
            for pattern in value.split():
                for included in sorted(tree.glob(pattern.removeprefix("/"))):
                    _read(tree, included, found)
        elif keyword:
            found.setdefault(keyword, value)


def _packets(tree: Path) -> Iterator[str]:
    path = tree / "etc/nftables.conf"
    policies = _FILTER.findall(path.read_text(encoding="utf-8")) if path.exists() else []
    if policies != ["drop"]:
        yield f"/etc/nftables.conf drops not all that it does not name: {policies or 'no filter'}"
    enabled = (tree / "etc/systemd/system").glob("*.wants/*")
    if "nftables.service" not in {link.name for link in enabled}:
        yield "nftables.service is not enabled: nothing is dropped"
