"""The shape of an API key's secret: `lz_sk_<mode>_<40 random><6 check>`.

The check digits (CRC-32 in base 62) let a client, a log scrubber or a secret scanner tell a real
key from a typing error without asking the server.
"""

import hashlib
import hmac
import secrets
import zlib
from dataclasses import dataclass
from functools import cache

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LIVE_PREFIX = "lz_sk_live_"
TEST_PREFIX = "lz_sk_test_"
RANDOM_LENGTH = 40  # 238 bits
CHECK_LENGTH = 6
LOOKUP_LENGTH = 12
FINGERPRINT_LENGTH = 12
_FINGERPRINT = b"lienzo fingerprint of a secret"


@dataclass(frozen=True, slots=True)
class Secret:
    """A well-formed secret and what can be read from it."""

    text: str
    livemode: bool

    @property
    def lookup(self) -> str:
        """Return the start of the random part, by which the row is found."""
        start = len(LIVE_PREFIX)
        return self.text[start : start + LOOKUP_LENGTH]

    def digest(self, key: str) -> bytes:
        """Return the HMAC-SHA256 of the secret, 32 bytes."""
        return hmac.digest(key.encode(), self.text.encode(), hashlib.sha256)


@cache
def fingerprint(key: str) -> str:
    """Return a short name of a secret of the server's own, from which it cannot be told.

    Rows and backups say by it which secret they need.
    """
    return hmac.digest(key.encode(), _FINGERPRINT, hashlib.sha256).hex()[:FINGERPRINT_LENGTH]


def new_secret(*, livemode: bool) -> Secret:
    """Draw a new secret."""
    body = (LIVE_PREFIX if livemode else TEST_PREFIX) + "".join(
        secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH)
    )
    return Secret(body + _check_digits(body), livemode)


def parse_secret(text: str) -> Secret | None:
    """Return the secret if its prefix, length, alphabet and check digits are right, else None."""
    livemode = text.startswith(LIVE_PREFIX)
    if not livemode and not text.startswith(TEST_PREFIX):
        return None
    body, check = text[:-CHECK_LENGTH], text[-CHECK_LENGTH:]
    random_part = text[len(LIVE_PREFIX) :]
    if len(random_part) != RANDOM_LENGTH + CHECK_LENGTH or not set(random_part) <= set(ALPHABET):
        return None
    if not hmac.compare_digest(check, _check_digits(body)):
        return None
    return Secret(text, livemode)


def _check_digits(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(CHECK_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
