"""The codes of what can be wrong with the gate's card and arm, as displays, journal and server say.

What each means to people and what to do stands in docs/operations/faults.md. Codes of other faults
stand beside what finds them.
"""

from typing import Final

DISK_FAULT: Final = "GT-DSK"  # it does not read or write
FULL_FAULT: Final = "GT-FUL"  # there is too little room left to let people in
READ_ONLY_FAULT: Final = "GT-RO"  # it may only be read
SLOW_FAULT: Final = "GT-SLW"  # it takes too long to keep what is written
JOURNAL_FAULT: Final = "GT-JRN"  # the journal is damaged
RELAY_FAULT: Final = "GT-RLY"  # the relay or its pins fail
SENSOR_FAULT: Final = "GT-SNS"  # a passage contact stays active
CONTROLLER_FAULT: Final = "GT-ARM"  # the turnstile's controller does not answer
FIRE_FAULT: Final = "GT-FIR"  # no fault: the fire alarm's loop is open
CONFIG_FAULT: Final = "GT-CFG"  # the machine was told by no file what it is, or by a wrong one
BATTERY_FAULT: Final = "GT-BAT"  # a handheld's battery is low, or empty
TEST_CODE: Final = "GT-TST"  # no fault: somebody tests the wiring, nobody enters
CARD_FAULTS: Final = frozenset({DISK_FAULT, FULL_FAULT, READ_ONLY_FAULT, JOURNAL_FAULT})
STOPPING_FAULTS: Final = CARD_FAULTS | {SLOW_FAULT}  # nobody enters while one of them lasts
