"""What the money commands share."""

from decimal import Decimal, InvalidOperation
from typing import NoReturn
from uuid import UUID

from django.core.management.base import CommandError

from orgs.errors import OrganizationNotFoundError
from orgs.selectors import Organization, get_organization


def find_organization(text: str) -> Organization:
    """Return the organization with this id.

    Raises:
        CommandError: The text is not a UUID, or no organization has it.
    """
    try:
        return get_organization(organization_id=UUID(text))
    except ValueError:
        _refuse(f"'{text}' is not an organization id: use the UUID that create_org printed.")
    except OrganizationNotFoundError as error:
        _refuse(error.message)


def read_decimal(text: str, what: str) -> Decimal:
    """Return a number written without exponent tricks.

    Raises:
        CommandError: It is not a finite decimal number.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        _refuse(f"'{text}' is not a {what}: write a decimal number, like 0.040.")
    if not number.is_finite():
        _refuse(f"'{text}' is not a {what}: write a decimal number, like 0.040.")
    return number


def _refuse(message: str) -> NoReturn:
    raise CommandError(message) from None
