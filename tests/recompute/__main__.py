"""Compute the books of a folder anew; exit 1 and name every difference."""

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.recompute.charges import check_charges, check_margin
from tests.recompute.ledger import (
    check_balances,
    check_credit_notes,
    check_entries,
    check_trial_balance,
)
from tests.recompute.statements import check_statements
from tests.recompute.tables import Tables

CHECKS = (
    check_entries,
    check_trial_balance,
    check_balances,
    check_charges,
    check_margin,
    check_statements,
    check_credit_notes,
)


def differences(folder: Path) -> Iterator[str]:
    """Yield whatever the files say that does not follow from the journal and the terms."""
    tables = Tables(folder)
    for check in CHECKS:
        yield from check(tables)


def main(arguments: list[str]) -> int:
    found = list(differences(Path(arguments[0])))
    for one in found:
        print(one)
    print(f"{len(found)} differences." if found else "Everything agrees, to the micro.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
