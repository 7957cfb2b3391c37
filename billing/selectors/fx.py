"""Reading exchange rates."""

from billing.models import FxRate


def has_rate(*, base: str, quote: str) -> bool:
    """Return whether any rate was ever recorded for the pair."""
    return FxRate.objects.filter(base=base, quote=quote).exists()
