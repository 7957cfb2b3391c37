"""Give back promotional credit that had paid for something."""

from billing.errors import LedgerCorruptError
from billing.models import GrantPart


def give_back(*, reference: str, micros: int) -> None:
    """Let credit that paid for a generation be spent again, of what expires last first.

    Joins the caller's transaction, which books the entry afterwards. Locks the grants. What is of
    a grant that has expired expires in the sweeper's next pass.

    Args:
        reference: Of the generation's hold.
        micros: What its entry credits to `wallet_promo`.

    Raises:
        LedgerCorruptError: Credit paid less than that.
    """
    parts = (
        GrantPart.objects.filter(hold__reference=reference)
        .select_related("grant")
        .select_for_update(no_key=True, of=("self", "grant"))
        .order_by("grant__expires_at", "grant_id")
    )
    left = micros
    for part in reversed(list(parts)):
        back = min(left, part.captured_micros - part.refunded_micros)
        if not back:
            continue
        left -= back
        part.refunded_micros += back
        part.save(update_fields=["refunded_micros"])
        part.grant.captured_micros -= back
        part.grant.save(update_fields=["captured_micros"])
    if left:
        raise LedgerCorruptError(f"Credit paid less for '{reference}' than is given back.")
