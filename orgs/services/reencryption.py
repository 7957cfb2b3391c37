"""Encrypting everything by the first key, so that the others can be taken away."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from allauth.mfa.models import Authenticator
from django.db.models import Model

from orgs.models import Mail, WebhookEndpoint
from orgs.services.signing import SEALED, SecretUnreadableError, resealed

BATCH: Final = 500
M = TypeVar("M", bound=Model)


@dataclass(slots=True)
class Reencrypted:
    """What became of one kind of secret.

    Attributes:
        kind: What they are of.
        seen: How many rows were looked at.
        changed: How many of them were encrypted anew.
        unreadable: Ids of those that no configured key decrypts.
        changed_meanwhile: How many others had changed before they could be written.
    """

    kind: str
    seen: int = 0
    changed: int = 0
    unreadable: list[str] = field(default_factory=list)
    changed_meanwhile: int = 0


def reencrypt_secrets() -> list[Reencrypted]:
    """Encrypt by the first key what another has encrypted: of webhooks, accounts, waiting mail.

    Row by row, each by compare-and-set: it may be stopped and repeated, and run beside everything
    else, itself included. What is encrypted by the first key already is not written.
    """
    return [
        _reencrypt("webhooks", WebhookEndpoint, ("secret", "previous_secret"), _of_bytes),
        _reencrypt("authenticators", Authenticator, ("data",), _of_json),
        _reencrypt("mail", Mail, ("body",), _of_bytes),
    ]


def _reencrypt(
    kind: str, model: type[M], fields: tuple[str, ...], renew: Callable[[Any], Any]
) -> Reencrypted:
    done = Reencrypted(kind)
    for row in _rows(model, fields):
        done.seen += 1
        before = {name: row[name] for name in fields}
        try:
            after = {name: renew(value) for name, value in before.items()}
        except SecretUnreadableError:
            done.unreadable.append(str(row["pk"]))
            continue
        if after == before:
            continue
        written = model._default_manager.filter(pk=row["pk"], **before).update(**after)  # noqa: SLF001 - Django's own name
        done.changed += written
        done.changed_meanwhile += 1 - written
    return done


def _rows(model: type[M], fields: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield rows in the order of their keys, a page at a time."""
    rows = model._default_manager.order_by("pk").values("pk", *fields)  # noqa: SLF001 - Django's own name
    last: object = None
    while page := list((rows if last is None else rows.filter(pk__gt=last))[:BATCH]):
        last = page[-1]["pk"]
        yield from page


def _of_bytes(value: memoryview | bytes | None) -> bytes | None:
    """Return a column's secret under the first key; what is empty stays so."""
    if not value:
        return None if value is None else bytes(value)
    sealed = bytes(value)
    return resealed(sealed) or sealed


def _of_json(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return JSON with every sealed text in it under the first key."""
    if isinstance(value, dict):
        return {name: _of_json(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_of_json(part) for part in value]
    if isinstance(value, str) and value.startswith(SEALED):
        fresh = resealed(value.encode())
        return value if fresh is None else fresh.decode()
    return value
