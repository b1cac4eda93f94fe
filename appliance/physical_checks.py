"""What only hands, eyes and a real board can show: the questions of a hardware report.

Asked by `portillon selftest --hardware-report`, and listed for people in
docs/operations/physical-checklist.md, which a test holds to this list.
"""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final


@unique
class Answer(StrEnum):
    """What somebody said."""

    YES = "yes"
    NO = "no"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class PhysicalCheck:
    """One question.

    Attributes:
        name: of the check, for good.
        do: what to do first.
        ask: a question whose good answer is yes.
    """

    name: str
    do: str
    ask: str


PHYSICAL_CHECKS: Final = (
    PhysicalCheck(
        "rest-at-power-on",
        "Switch the supply off and on, and watch the arm until the display says ready.",
        "Did the arm stay locked the whole time (free, where it is wired to fail safe)?",
    ),
    PhysicalCheck(
        "start",
        "Take the time from power to the display's ready screen.",
        "Was it ready within 30 seconds? Note the seconds.",
    ),
    PhysicalCheck(
        "phone",
        "Hold a ticket on a phone before each reader: dimmed, tilted, in the sun.",
        "Was each read within a second?",
    ),
    PhysicalCheck(
        "paper",
        "Hold a printed ticket before each reader: flat, folded, wet.",
        "Was each read within a second?",
    ),
    PhysicalCheck(
        "release",
        "Have the arm released once: --move-the-arm, or the wiring test on the gate's page.",
        "Did it open once, the right way, and lock again?",
    ),
    PhysicalCheck(
        "arm",
        "Show a valid ticket and go through.",
        "Did the arm open once, let one person through, and lock again?",
    ),
    PhysicalCheck(
        "not-taken",
        "Show a valid ticket, do not go, wait; then show it again.",
        "Did the display say that nobody went, and was the ticket let in the second time?",
    ),
    PhysicalCheck(
        "forced",
        "Push the arm without a ticket, as a child would.",
        "Did it hold, or, if it moved, did the gate's page show it as forced?",
    ),
    PhysicalCheck(
        "alarm",
        "With whoever is in charge of fire safety: raise the alarm with the gate switched off.",
        "Was the turnstile free at once, by its own wire?",
    ),
    PhysicalCheck(
        "alarm-seen",
        "The same with the gate running.",
        "Did the display say free passage, and did it stay so after the alarm was over?",
    ),
    PhysicalCheck(
        "plug",
        "Pull the plug while somebody is in the arm. Start again and show that ticket.",
        "Is the ticket known as used, and the gate without a fault?",
    ),
    PhysicalCheck(
        "plug-ten-times",
        "Pull the plug ten times in the midst of scans.",
        "Did it start each time, with all that it admitted in its journal?",
    ),
    PhysicalCheck(
        "watchdog",
        "As root: echo c > /proc/sysrq-trigger. It stops the kernel.",
        "Was the gate back by itself within two minutes?",
    ),
    PhysicalCheck(
        "update",
        "Install an update and let it start on trial.",
        "Did the firmware start the other slot, and did it stay there after ten minutes?",
    ),
    PhysicalCheck(
        "update-lost",
        "Install an update, and cut the power before it starts on trial.",
        "Did the gate come back on the former version, and try the new one once more?",
    ),
    PhysicalCheck(
        "network",
        "Pull the network's cable, or switch the radio off, and show tickets.",
        "Did the gate go on and say degraded, and connected again afterwards?",
    ),
    PhysicalCheck(
        "reader-unplugged",
        "Unplug each reader, wait a minute, plug it in again.",
        "Was its fault shown, and did it read again without another start?",
    ),
    PhysicalCheck(
        "clock",
        "Unplug network and supply for an hour; start without the network.",
        "Is the time on the gate's page right to a minute (with a battery's clock)?",
    ),
    PhysicalCheck(
        "seen-and-heard",
        "Stand three metres away in the site's own light and noise.",
        "Can each answer be told by its colour, its shape and its sound?",
    ),
    PhysicalCheck(
        "supply",
        "Run readers, lamp, buzzer and relay at the same time, on the site's own supply.",
        "Was there no under-voltage since the start (GT-PWR)?",
    ),
    PhysicalCheck(
        "heat",
        "Leave it on for an hour with the housing closed, in the sun if it stands there.",
        "Is it below 75 °C, with no under-voltage since its start?",
    ),
)
