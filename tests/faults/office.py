"""Management commands of the machine, in one process that stays: each start costs a second of CPU.

A line of JSON in, the words of a command; a line out, its exit code and output. ``provision`` is
not the product's own: it opens organizations with credit and a key each, amounts in micros.
"""

import contextlib
import io
import json
import sys
import traceback
import uuid
from collections.abc import Sequence

import django


def main() -> None:
    """Serve until standard input ends."""
    django.setup()
    from django.db import connections  # noqa: PLC0415 - needs the set-up

    answers = sys.stdout
    for line in sys.stdin:
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            code = _run(json.loads(line))
            connections.close_all()
        answers.write(json.dumps({"code": code, "output": output.getvalue()}) + "\n")
        answers.flush()


def _run(words: Sequence[str]) -> int:
    from django.core.management import call_command  # noqa: PLC0415 - needs the set-up

    try:
        if words[0] == "provision":
            print(_provision(words[1:]))
        else:
            call_command(*words, stdout=sys.stdout)
    except SystemExit as ended:
        return int(ended.code or 0)
    except BaseException:  # noqa: BLE001 - whatever it is, the caller shows it
        traceback.print_exc()
        return 1
    return 0


def _provision(amounts: Sequence[str]) -> str:
    from billing.services.topups import top_up  # noqa: PLC0415 - needs the set-up
    from core.clock import now  # noqa: PLC0415 - needs the set-up
    from gateway.services.onboarding import KeyTerms, open_api_key, open_organization  # noqa: PLC0415 - needs the set-up

    opened = []
    for amount in amounts:
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
    return json.dumps(opened)


if __name__ == "__main__":
    main()
