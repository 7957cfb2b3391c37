"""Accounts as this product serves them: behind the proxies that the API trusts."""

from django.http import HttpRequest

from gateway.api.middleware import client_address
from orgs.console import accounts


class AccountAdapter(accounts.AccountAdapter):
    """Knows the caller's address as the API does."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that limits and the list of sessions go by."""
        return client_address(request)
