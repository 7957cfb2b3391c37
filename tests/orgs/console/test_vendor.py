"""Files of others that pages load: exactly those that are written down, with their licenses."""

from hashlib import sha256

from tests.architecture.tree import ROOT, table_rows

FOLDER = ROOT / "static" / "vendor"


def test_files_are_those_of_the_list():
    listed = {row[0]: row[3].strip("`") for row in table_rows(FOLDER / "README.md")}
    present = {
        path.relative_to(FOLDER).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in FOLDER.glob("*/*")
        if path.name != "LICENSE"
    }

    assert listed == present
    assert all((FOLDER / name).with_name("LICENSE").exists() for name in listed)
