"""Open organizations with credit and a key each: amounts in micros as arguments, JSON out.

One process for many, as each management command costs a second of start-up.
"""

import json
import sys
import uuid

import django

if __name__ == "__main__":
    django.setup()
    from billing.services.topups import top_up
    from core.clock import now
    from gateway.services.onboarding import KeyTerms, open_api_key, open_organization

    opened = []
    for amount in sys.argv[1:]:
        organization = open_organization(name="Faults", currency="USD")
        if int(amount):
            top_up(
                organization_id=organization.id,
                amount_micros=int(amount),
                idempotency_key=f"faults:{uuid.uuid4()}",
                now=now(),
            )
        _, key = open_api_key(organization=organization, terms=KeyTerms(name="Faults"))
        opened.append({"id": str(organization.id), "key": key})
    print(json.dumps(opened))
