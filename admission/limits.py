"""Every bound of the heart, named, with its why. Imported by whoever must hold to one."""

from typing import Final

SCAN_PAYLOAD_BYTES_MAX: Final = 4096  # QR version 40 holds 2,953 bytes; above this it is noise
NUMBER_CODE_POINTS_MAX: Final = 512  # docs/rules.md, line 1
IDENTIFIER_BYTES: Final = 16  # 128 bits: a random guess never hits a list of a million
LIST_KEY_BYTES: Final = 32

ENVELOPE_BYTES_MAX: Final = 64 * 1024  # small documents only; checked before any parsing
ENVELOPE_SIGNATURES_MAX: Final = 8
SNAPSHOT_ENTRIES_MAX: Final = 20_000_000  # ten times the largest stadium season
SEGMENTS_MAX: Final = 64  # a piece each to fetch and to name; then a snapshot is the better way
SEGMENT_ENTRIES_MAX: Final = 200_000  # of all segments: a tenth of a large list, 4 MB in memory
ATTRIBUTES_BYTES_MAX: Final = 1 << 30  # of all files of sealed records: a million of 1 kB
ATTRIBUTE_CHARACTERS_MAX: Final = 100  # of one text: a name, a row; longer ones fit no screen
EXTRAS_MAX: Final = 16  # further texts of one ticket
CLASSES_MAX: Final = 65_535  # the class column is two bytes wide

NAME_CHARACTERS_MAX: Final = 200  # ids and categories, wherever they travel
INTEGER_MAX: Final = (1 << 63) - 1  # what every database holds; msgpack could bring one bit more

JOURNAL_RECORD_BYTES_MAX: Final = 4096  # a record is some 200 bytes; a detail text may ride along
JOURNAL_BATCH_RECORDS_MAX: Final = 1000  # one upload request
MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024  # one protocol message: a full batch of full records
JOURNALS_ASKED_MAX: Final = 1000  # heads asked for at once: a venue's gates, former journals too
FEED_ITEMS_MAX: Final = 1000  # one feed answer or frame
