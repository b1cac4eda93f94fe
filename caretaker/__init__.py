"""The caretaker: keeps the machine beneath a gate. First boot, clock, updates, health, reset.

Small programs that systemd starts, some of them as root; none listens to a network. They stand on
the heart and know neither gate nor server: what they have to know of the gate, and it of them,
lies in the files that `places` names. See docs/adr/0031-caretaker.md.
"""
