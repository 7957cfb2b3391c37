"""How an organization is taxed, as finance says."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from billing.models import TaxProfile, TaxTreatment
from billing.selectors.taxes.terms import find_profile
from billing.services.staff import require_finance
from orgs.errors import InvalidInputError, OrganizationNotFoundError
from orgs.models import lock_organization
from orgs.services.audit import Action, Actor, Target, record

_REASON_LENGTH: Final = 255


def set_tax_treatment(
    *, organization_id: UUID, treatment: str, reason: str, actor: Actor, now: datetime
) -> TaxProfile:
    """Say how an organization is taxed from now on; payments that exist keep their terms.

    It is logged in the organization's log. Locks the organization.

    Args:
        organization_id: Whose.
        treatment: One of `TaxTreatment`.
        reason: Why; an exemption needs one, which stands on invoices.
        actor: Of the finance staff.
        now: When.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        OrganizationNotFoundError: There is no such organization.
        InvalidInputError: There is no such treatment, an exemption has no reason, or a reverse
            charge no tax id.
    """
    require_finance(actor)
    reason = " ".join(reason.split())[:_REASON_LENGTH]
    if treatment not in TaxTreatment.values:
        raise InvalidInputError("There is no such treatment.", param="treatment")
    if treatment == TaxTreatment.EXEMPT and not reason:
        raise InvalidInputError("Say why it is exempt.", param="reason")
    with transaction.atomic():
        organization = lock_organization(organization_id)
        if organization is None:
            raise OrganizationNotFoundError(f"There is no organization {organization_id}.")
        if treatment == TaxTreatment.REVERSE_CHARGE and not (
            organization.tax_id and organization.billing_country
        ):
            raise InvalidInputError(
                "A reverse charge needs the country and the tax id in the billing profile.",
                param="treatment",
            )
        before = find_profile(organization)
        row = TaxProfile.objects.create(
            organization=organization,
            treatment=treatment,
            reason=reason,
            created_at=now,
            created_by=actor.label[:_REASON_LENGTH],
        )
        record(
            action=Action.TAX_TREATMENT_CHANGED,
            actor=actor,
            organization_id=organization_id,
            target=Target("tax_profile", organization_id, organization.name),
            before=_written(before),
            after=_written(row),
        )
    return row


def _written(row: TaxProfile | None) -> dict[str, object]:
    if row is None:
        return {"treatment": TaxTreatment.STANDARD.value, "reason": ""}
    return {"treatment": str(row.treatment), "reason": row.reason}
