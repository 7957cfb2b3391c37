"""Create the demo organization, its people and its key, or find them again."""

import os
from datetime import datetime
from typing import Any

from core.commands import ServiceCommand
from gateway.services.demo import seed_demo


class Command(ServiceCommand):
    help = "Seed a demo organization with credit. Reuses a key and passwords that still work."

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        organization, values = seed_demo(given=os.environ, now=at)
        return f"The demo organization is {organization.id}.", values
