"""Pages of generations that wait in several queues."""

from datetime import timedelta

import pytest

from core.clock import now
from gateway.selectors.listing import Filters, list_generations
from tests.gateway.services.rows import add_generation, new_name, open_key

pytestmark = pytest.mark.django_db


def test_queued_ones_of_all_queues_come_in_the_order_of_their_creation():
    api_key, other = open_key(), open_key()
    queues = [new_name() for _ in range(3)]
    moment = now()
    made = [
        add_generation(
            api_key,
            queue=queues[number % 3],
            user="ann" if number % 2 else "bob",
            parameters={"n": 1, "prompt": "a cat"},
            created_at=moment + timedelta(milliseconds=number),
        )
        for number in range(9)
    ]
    add_generation(other, queue=queues[0])
    add_generation(api_key, queue=queues[1], status="failed", finished_at=moment)
    newest_first = [one.id for one in reversed(made)]

    def page(limit, after=None, **filters):
        found = list_generations(
            organization_id=api_key.organization_id,
            filters=Filters(status="queued", **filters),
            limit=limit,
            after=after and (after.created_at, after.id),
        )
        return [one.id for one in found.generations], found.has_more

    assert page(4) == (newest_first[:4], True)
    assert page(5, after=made[5]) == (newest_first[4:], False)
    assert page(9, user="ann") == (newest_first[1::2], False)
    assert page(9, model="fal/flux-dev") == ([], False)
