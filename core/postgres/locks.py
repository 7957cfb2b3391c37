"""Advisory locks of the database that several programs know. Any fixed numbers."""

from typing import Final

# Held alone by whoever migrates, shared by whoever may not be migrated under.
MIGRATING: Final = 7_117_002
# Held by the one backup that is being made: "lienzo back" in ASCII, cut to 63 bits.
BACKING_UP: Final = 0x6C69656E7A6F2062
# Held during each step of the check of the ledger: "lienzo chec" in ASCII, cut to 63 bits.
CHECKING: Final = 0x6C69656E7A6F2063
# Held by the one restore into a database: "lienzo rest" in ASCII, cut to 63 bits.
RESTORING: Final = 0x6C69656E7A6F2072
