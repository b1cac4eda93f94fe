"""A venue's networks as namespaces of this machine: a server's, two of gates, a router between.

Needs root and `ip`; with `nft` also packets get lost. Whoever uses it runs in the router's
namespace: from there everything is reached, and nothing of the machine's own network is touched.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SITES = 3
_TABLE = """
table inet chaos {{
  set cut {{ type ifname; }}
  chain through {{
    type filter hook forward priority 0;
    {rules}
  }}
  chain in {{ type filter hook input priority 0; }}
  chain out {{ type filter hook output priority 0; }}
}}
"""
_CUT = "iifname @cut drop; oifname @cut drop;"
_FLUSH = "flush chain inet chaos in; flush chain inet chaos out"


def run(*words: str, text: str | None = None) -> None:
    """Run a command.

    Raises:
        RuntimeError: if it fails, with what it said.
    """
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")


class Networks:
    """The namespaces.

    Args:
        prefix: of their names.
        places: the site of each machine, by its name; site 0 is the server's.

    Attributes:
        has_loss: whether packets can be lost here.
    """

    def __init__(self, prefix: str, places: dict[str, int]) -> None:
        self.prefix, self._places = prefix, places
        self.has_loss = shutil.which("nft") is not None
        self._numbers = {name: place + 1 for place, name in enumerate(places)}

    @property
    def router(self) -> str:
        """Its namespace."""
        return f"{self.prefix}-router"

    def namespace(self, name: str) -> str:
        """Give a machine's namespace."""
        return f"{self.prefix}-{name}"

    def address(self, name: str) -> str:
        """Give a machine's address."""
        return f"10.91.{self._places[name]}.{self._numbers[name]}"

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make them all, and remove them in the end."""
        names = [self.router, *map(self.namespace, self._places)]
        try:
            for name in names:
                run("ip", "netns", "add", name)
                run("ip", "-n", name, "link", "set", "lo", "up")
            self._build()
            yield
        finally:
            for name in names:
                subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def _build(self) -> None:
        run("ip", "netns", "exec", self.router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for site in range(SITES):
            self._in_router("link", "add", f"site{site}", "type", "bridge")
            self._in_router("addr", "add", f"10.91.{site}.254/24", "dev", f"site{site}")
            self._in_router("link", "set", f"site{site}", "up")
        for name, site in self._places.items():
            own = self.namespace(name)
            self._in_router(
                "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", own
            )
            self._in_router("link", "set", f"to-{name}", "master", f"site{site}", "up")
            run("ip", "-n", own, "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
            run("ip", "-n", own, "link", "set", "eth0", "up")
            run("ip", "-n", own, "route", "add", "default", "via", f"10.91.{site}.254")
        if self.has_loss:
            for name in (self.router, *map(self.namespace, self._places)):
                self._nft(name, _TABLE.format(rules=_CUT))

    def pull_cable(self, name: str) -> None:
        """Take a machine off its network."""
        self._in_router("link", "set", f"to-{name}", "down")

    def plug_cable(self, name: str) -> None:
        """Take that back."""
        self._in_router("link", "set", f"to-{name}", "up")

    def cut_site(self, site: int) -> None:
        """Keep a site from the others; its machines reach each other."""
        self._nft(self.router, f"add element inet chaos cut {{ site{site} }}")

    def mend_site(self, site: int) -> None:
        """Take that back."""
        self._nft(self.router, f"delete element inet chaos cut {{ site{site} }}")

    def lose(self, name: str, percent: int) -> None:
        """Lose packets of a machine, both ways."""
        rule = f"numgen random mod 100 < {percent} drop"
        self._rule(name, f"add rule inet chaos in {rule}", f"add rule inet chaos out {rule}")

    def swallow(self, name: str, way: str) -> None:
        """Let nothing in, or nothing out, and say so to nobody: connections are half open."""
        self._rule(name, f"add rule inet chaos {way} tcp dport != 0 drop")

    def reset(self, name: str) -> None:
        """Break every connection that a machine sends anything on."""
        self._rule(name, "add rule inet chaos out meta l4proto tcp reject with tcp reset")

    def mend(self, name: str) -> None:
        """Take back what was lost, swallowed or reset."""
        self._rule(name, _FLUSH)

    def _rule(self, name: str, *rules: str) -> None:
        self._nft(self.namespace(name), "\n".join(rules))

    def _nft(self, namespace: str, text: str) -> None:
        run(
            "ip",
            "netns",
            "exec",
            namespace,
            "nft",
            "-f",
            "-",
            text=text.replace("; flush", "\nflush"),
        )

    def _in_router(self, *words: str) -> None:
        run("ip", "-n", self.router, *words)


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[None]:
    """Mount a disk of a size at a folder, as long as this lasts."""
    folder.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0700", "tmpfs", str(folder))
    try:
        yield
    finally:
        run("umount", "-l", str(folder))


def fill(folder: Path) -> None:
    """Use up what is left of a disk."""
    with (folder / "ballast").open("ab", buffering=0) as file:
        for size in (65_536, 4_096, 512, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def empty(folder: Path) -> None:
    """Give it back."""
    (folder / "ballast").unlink(missing_ok=True)


def enter(networks: Networks, *words: str) -> int:
    """Run this program once more, within the router's namespace; give its exit status."""
    inside = ["ip", "netns", "exec", networks.router, sys.executable, *words]
    return subprocess.run(inside, check=False, env=os.environ).returncode
