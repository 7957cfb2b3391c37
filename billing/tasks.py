"""Celery tasks of billing. Messages carry nothing: they say that something is due."""

from celery import shared_task

from billing.services.payments.charges import ask_again, charge_low_wallets
from billing.services.payments.sessions import look_at_assigned, reconcile_sessions
from billing.services.rates.fetching import fetch_rates
from core.clock import now


@shared_task(name="billing.fetch_fx_rates", ignore_result=True)
def fetch_fx_rates_task(**_: object) -> None:
    """Fetch what the sources of exchange rates have published."""
    fetch_rates(now=now())


@shared_task(name="billing.charge_low_wallets", ignore_result=True)
def charge_low_wallets_task(**_: object) -> None:
    """Charge the saved cards of organizations whose wallets have run low."""
    ask_again(now=now())
    charge_low_wallets(now=now())


@shared_task(name="billing.reconcile_sessions", ignore_result=True)
def reconcile_sessions_task(**_: object) -> None:
    """Look after checkouts of which no event has come, and money that was just assigned."""
    reconcile_sessions(now=now())
    look_at_assigned(now=now())
