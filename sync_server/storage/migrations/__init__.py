"""How the tables came to be: one numbered step per change, run at a start that finds them older."""

from typing import Final

NEWEST: Final = "0004"  # number of the last step
