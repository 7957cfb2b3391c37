"""Whose prompts a member may read: their own always, those of others if the role allows it."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from gateway.models import Generation


@dataclass(frozen=True, slots=True)
class Reader:
    """A member who looks; `reads_all` is `orgs.permissions.may_view_prompts`."""

    organization_id: UUID
    user_id: UUID
    reads_all: bool

    @property
    def searched_member_id(self) -> UUID | None:
        """Return whose prompts alone a search may look into; None for everybody's."""
        return None if self.reads_all else self.user_id


def readable_prompts(*, reader: Reader, generation_ids: Collection[UUID]) -> frozenset[UUID]:
    """Return those generations whose prompt somebody may read. At most one query.

    One's own are those asked for in the console, and by the API keys that one made.
    """
    if reader.reads_all or not generation_ids:
        return frozenset(generation_ids)
    own = Generation.objects.filter(
        Q(created_by_id=reader.user_id) | Q(api_key__created_by_id=reader.user_id),
        id__in=generation_ids,
        organization_id=reader.organization_id,
    )
    return frozenset(own.values_list("id", flat=True))
