"""Secrets of webhooks: drawn, kept encrypted, and signed with as Standard Webhooks has it.

https://www.standardwebhooks.com, read 2026-11. API keys are hashed, but a secret that signs must be
had again: it is encrypted (Fernet: AES-128-CBC with HMAC-SHA256) by a key of the server's own.
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from standardwebhooks import Webhook

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - of every secret, itself none
SECRET_BYTES: Final = 32
# How everything that `seal` returns begins: the version of Fernet, in base 64.
SEALED: Final = "gAAAA"
_INFO: Final = b"lienzo webhook secrets"


class SecretUnreadableError(Exception):
    """No configured key decrypts the secret."""


def new_secret() -> str:
    """Draw a secret as its owner gets it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def seal(secret: str) -> bytes:
    """Encrypt a secret for its row."""
    return _cipher().encrypt(secret.encode())


def unseal(sealed: bytes) -> str:
    """Decrypt a secret.

    Raises:
        SecretUnreadableError: It was encrypted by a key that this server no longer has.
    """
    try:
        return _cipher().decrypt(sealed).decode()
    except InvalidToken as error:
        raise SecretUnreadableError from error


def resealed(sealed: bytes) -> bytes | None:
    """Return a secret encrypted by the first key; None if it is already.

    Raises:
        SecretUnreadableError: No configured key decrypts it.
    """
    try:
        _cipher_of((encryption_keys()[0],)).decrypt(sealed)
    except InvalidToken:
        pass
    else:
        return None
    try:
        return _cipher().rotate(sealed)
    except InvalidToken as error:
        raise SecretUnreadableError from error


def signed_headers(
    *, message_id: str, now: datetime, body: bytes, secrets_in_use: Sequence[str]
) -> dict[str, str]:
    """Return the headers of a message, with one signature for each secret, newest first."""
    text = body.decode()
    signatures = [
        Webhook(secret).sign(msg_id=message_id, timestamp=now, data=text)
        for secret in secrets_in_use
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def encryption_keys() -> list[str]:
    """Return the keys that decrypt; the first encrypts, `SECRET_KEY` and its fallbacks are last."""
    return [
        *settings.WEBHOOK_ENCRYPTION_KEYS,
        settings.SECRET_KEY,
        *settings.SECRET_KEY_FALLBACKS,
    ]


def _cipher() -> MultiFernet:
    return _cipher_of(tuple(encryption_keys()))


@cache
def _cipher_of(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_derive(key)) for key in keys])


def _derive(key: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_INFO).derive(key.encode())
    return base64.urlsafe_b64encode(derived)
