"""Prints the lock file's entries that this Python on this machine installs, for pip.

locked_here.py EXTRA …      as tools/install-appliance asks; EXTRA: gate, server, pi
"""

import sys

from packaging.markers import default_environment
from target_wheels import LOCK, wanted

there = {name: str(value) for name, value in default_environment().items()}
print(*wanted(LOCK.read_text(), set(sys.argv[1:]), there), sep="\n")
