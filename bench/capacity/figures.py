"""What was measured, and on what the sizing rests; docs/capacity.md says where each is from.

CPU is milliseconds of one core of the machine of docs/performance.md: two slow cores, which did
other work too. Measure anew on your own (`make bench`) and put its figures here.
"""

from typing import Final

KIB: Final = 1024

# docs/performance.md, "held" and "held-base64": CPU ms a request with an image of so many KiB.
SMALL_KIB: Final = 98
LARGE_KIB: Final = 768
WEB_MS: Final = 6.7
WEB_LARGE_MS: Final = 9.2
WORKER_MS: Final = 8.5
WORKER_LARGE_MS: Final = 11.3
POSTGRES_MS: Final = 7.9
VALKEY_MS: Final = 0.3
S3_MS: Final = 3.7
S3_LARGE_MS: Final = 12.1

# The same runs: most requests held by one process, and memory of it beyond an idle one's.
WEB_HELD: Final = 1000
WORKER_HELD: Final = 2000
WEB_IDLE_MIB: Final = 117
WORKER_IDLE_MIB: Final = 133
WEB_HELD_KIB: Final = 63
WORKER_HELD_KIB: Final = 157

# `python -m bench.capacity.measure`, 4,000 generations of one image.
ROW_BYTES: Final = 6984
WAL_BYTES: Final = 29658
COMMITS: Final = 11.4
VALKEY_COMMANDS: Final = 3.1
VALKEY_BYTES: Final = 3261
# A process's pool (DATABASE_POOL_SIZE), and its connections beside it: heartbeat and poll.
CONNECTIONS: Final = 12

# One organization's settlements: its balance is one row, 1 ms from the database (ADR 2).
ORGANIZATION_PER_SECOND: Final = 608

# Decisions, not measurements. A core is planned to be busy so much, a month has so many days.
BUSY: Final = 0.6
MONTH_DAYS: Final = 30
# Images that a process reads, checks and stores at once (TRANSFER_LIMIT), and copies of each.
TRANSFERS: Final = 16
COPIES: Final = 3
# Processes of each kind: one more than needed, so that one may stop, from this many a minute on.
SPARE_FROM: Final = 60
# Where a pooler is worth its trouble: more connections than one server serves well.
POOLER_FROM: Final = 400
