"""Show which API keys hang on which secret of the server."""

import json
from collections import Counter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from core.clock import now
from orgs.secrets import fingerprint
from orgs.selectors.key_hashes import KeyHash, list_key_hashes


class Command(BaseCommand):
    help = (
        "Count working API keys by the secret that hashed them, and list those that need another"
        " than API_KEY_HMAC_SECRET; exit 1 if there are any. Use hashes a key anew."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: object, **options: Any) -> None:
        names = {
            "": "unknown (not used since fingerprints are kept)",
            **{fingerprint(key): "previous" for key in settings.API_KEY_HMAC_PREVIOUS_SECRETS},
            fingerprint(settings.API_KEY_HMAC_SECRET): "present",
        }
        counts: Counter[str] = Counter()
        behind: list[KeyHash] = []
        for found in list_key_hashes(now=now()):
            counts[names.get(found.hashed_by, "lost: no configured secret")] += 1
            if names.get(found.hashed_by) != "present":
                behind.append(found)
        if options["json"]:
            fields = {"counts": counts, "behind": [_fields(found) for found in behind]}
            self.stdout.write(json.dumps(fields))
        else:
            for name, count in sorted(counts.items()):
                self.stdout.write(f"keys by secret, {name}: {count}")
            for found in behind:
                used = found.last_used_at.isoformat() if found.last_used_at else "never"
                which = " (replaced secret)" if found.is_previous else ""
                self.stdout.write(f"  {found.api_key_id} {found.name!r}{which}, last used {used}")
        if behind:
            raise SystemExit(1)


def _fields(found: KeyHash) -> dict[str, object]:
    return {
        "id": str(found.api_key_id),
        "organization": str(found.organization_id),
        "name": found.name,
        "last_used": found.last_used_at.isoformat() if found.last_used_at else None,
        "is_previous": found.is_previous,
    }
