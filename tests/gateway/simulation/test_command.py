"""`simulate_month` plays in a database of its own alone."""

import pytest
from django.core.management import CommandError, call_command

from tests.billing.scene import Scene


@pytest.mark.django_db
def test_a_database_of_a_business_is_refused():
    Scene.create()
    with pytest.raises(CommandError, match="organizations of a business"):
        call_command("simulate_month", "--seed", "1")
    for wrong in (("--month", "2019"), ("--month", "2999-01"), ("--organizations", "2")):
        with pytest.raises(CommandError):
            call_command("simulate_month", "--seed", "1", *wrong)
