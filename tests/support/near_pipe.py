"""Carries one connection of an emulated machine to a port of this machine: `near_pipe.py PORT`.

QEMU starts one for each: its input is what the guest sends, its output what the guest gets.
"""

import os
import socket
import sys
import threading

CHUNK = 1 << 16


def main() -> None:
    """Carry both ways until both are at their end."""
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as line:

        def inwards() -> None:
            while data := os.read(0, CHUNK):
                line.sendall(data)
            line.shutdown(socket.SHUT_WR)

        threading.Thread(target=inwards, daemon=True).start()
        while data := line.recv(CHUNK):
            os.write(1, data)


if __name__ == "__main__":
    main()
