"""Tries what a daemon's sandbox forbids, one act after the other, and prints what came of each.

Runs inside, with that system's Python and nothing else; arguments name the acts, if not all. One
JSON object: `done`, or why not. What a container forbids everybody (kernel settings, modules, the
clock) cannot be told apart here.
"""

import ctypes
import errno
import json
import mmap
import os
import signal
import socket
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
PER_LINUX32 = 0x0008
SCHED_FIFO_PRIORITY = 1
KEYCTL_GET_KEYRING_ID = 0


def _call(name: str, *words: object) -> None:
    if getattr(LIBC, name)(*words) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def write_to(folder: str) -> None:
    """Make a file in a folder and take it away again."""
    path = Path(folder) / "portillon-probe"
    path.write_text("x")
    path.unlink()


def as_child(act: Callable[[], None]) -> None:
    """Do what changes the process itself in another one."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            act()
        except OSError as exc:
            os.write(write_end, (errno.errorcode.get(exc.errno or 0, "?")).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as told:
        said = told.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        raise OSError(errno.EPERM, f"killed by {signal.Signals(os.WTERMSIG(status)).name}")
    if said:
        raise OSError(getattr(errno, said, errno.EIO), said)


def open_socket(family: int, kind: int) -> None:
    """Open a socket of a family."""
    socket.socket(family, kind).close()


def write_and_run() -> None:
    """Map memory that may be written to and run at once."""
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def set_user_id_bit() -> None:
    """Make a file that runs as its owner whoever starts it."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).chmod(0o755 | stat.S_ISUID)


def make_device() -> None:
    """Make a node of a device that nobody allowed, and open it."""
    path = Path(tempfile.gettempdir()) / "portillon-device"
    os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(7, 0))
    path.unlink()


def see_process(number: int) -> None:
    """Read what another process is."""
    Path(f"/proc/{number}/status").read_text()


def gain_by_exec() -> None:
    """Ask whether a new program could gain rights."""
    status = Path("/proc/self/status").read_text()
    if "NoNewPrivs:\t1" in status:
        raise OSError(errno.EPERM, "no new privileges")


def capable() -> None:
    """Ask whether anything is allowed beyond what an ordinary user is."""
    status = Path("/proc/self/status").read_text()
    bound = next(line for line in status.splitlines() if line.startswith("CapBnd:")).split()[1]
    if int(bound, 16) == 0:
        raise OSError(errno.EPERM, "no capabilities")


def real_time() -> None:
    """Ask to run before everybody else."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(SCHED_FIFO_PRIORITY))


def leave_world_readable() -> None:
    """Make a file without saying for whom, and see who may read it."""
    path = Path(tempfile.gettempdir()) / "portillon-mask"
    path.write_text("")
    mode = path.stat().st_mode & 0o077
    path.unlink()
    if mode == 0:
        raise OSError(errno.EPERM, "for its owner alone")


def share_temporary() -> None:
    """See whether /tmp is everybody's."""
    if not Path("/tmp/portillon-of-everybody").exists():
        raise OSError(errno.ENOENT, "another /tmp")


def persona() -> None:
    """Change how the kernel runs the program."""
    _call("personality", PER_LINUX32)


def unshare(flags: int) -> None:
    """Make a name space of its own."""
    _call("unshare", flags)


def mount_over() -> None:
    """Mount something."""
    _call("mount", b"none", b"/mnt", b"tmpfs", 0, None)
    _call("umount", b"/mnt")


ACTS: dict[str, Callable[[], None]] = {
    "write to /etc": lambda: write_to("/etc"),
    "write to /usr": lambda: write_to("/usr"),
    "write to another's state": lambda: write_to("/var/lib/portillon-care"),
    "write to /root": lambda: write_to("/root"),
    "make a control group": lambda: Path("/sys/fs/cgroup/portillon-probe").mkdir(),
    "see the first process": lambda: see_process(1),
    "share /tmp": share_temporary,
    "leave a file readable": leave_world_readable,
    "change the host's name": lambda: as_child(lambda: socket.sethostname(socket.gethostname())),
    "open a packet socket": lambda: open_socket(socket.AF_PACKET, socket.SOCK_RAW),
    "map memory to write and run": write_and_run,
    "make a set-user-id file": set_user_id_bit,
    "make a device": make_device,
    "run in real time": lambda: as_child(real_time),
    "change its personality": lambda: as_child(persona),
    "make a user name space": lambda: as_child(lambda: unshare(CLONE_NEWUSER)),
    "make a mount name space": lambda: as_child(lambda: unshare(CLONE_NEWNS)),
    "mount": lambda: as_child(mount_over),
    "gain rights by a program": gain_by_exec,
    "have capabilities": capable,
}


def main() -> None:
    """Try all of it."""
    found = {}
    for name, act in ACTS.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        try:
            act()
        except OSError as exc:
            found[name] = f"{errno.errorcode.get(exc.errno or 0, '?')} {exc.strerror or exc}"
        except ValueError as exc:
            found[name] = str(exc)
        else:
            found[name] = "done"
    json.dump(found, sys.stdout)


main()
