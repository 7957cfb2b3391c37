import shutil
import tempfile
from pathlib import Path

import pytest

from embedded.session import remove_state


@pytest.fixture
def var():
    """A state folder that any account may pass through, so that root's PostgreSQL lives in it."""
    folder = Path(tempfile.mkdtemp(prefix="lienzo-test-"))
    folder.chmod(0o711)
    yield folder / "var"
    remove_state(folder / "var")
    shutil.rmtree(folder)
