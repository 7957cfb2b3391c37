"""A real Docker Engine, and images for it where no registry is at hand."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from embedded import postgres, seaweedfs, valkey
from embedded.environment import without_settings
from tests.architecture.tree import DOCS
from tests.docker.files import ROOT

# What the base of the tests holds: the product needs the first three, its stand-ins the others.
_PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates,nginx-light,wget"
_RELEASE = "bookworm"
_AUTHORITIES = "etc/ssl/certs/ca-certificates.crt"
BASE = "lienzo-test/base"
STAND_INS = ("nginx", "postgres", "valkey", "seaweedfs")
PROJECT = "lienzo-test"


def require_engine() -> None:
    """Skip, unless an engine can be asked and images be made for it."""
    missing = [name for name in ("docker", "debootstrap") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and a Docker Engine with compose, and {missing or 'root'}")
    for question in (("info",), ("compose", "version")):
        asked = subprocess.run(["docker", *question], capture_output=True, text=True, check=False)
        if asked.returncode:
            pytest.skip(f"docker {' '.join(question)}: {asked.stderr.strip()[:200]}")


def docker(*arguments: str, timeout_s: float = 900, **options: Any) -> str:
    """Run a command of Docker's and return what it prints."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        ["docker", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        # Compose takes variables of its own environment before those of `.env`.
        env=without_settings(os.environ),
        **options,
    )
    assert done.returncode == 0, f"docker {arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def make_base(folder: Path) -> None:
    """Make what stands for Debian slim with Python: of the distribution's own packages."""
    known = subprocess.run(["docker", "image", "inspect", BASE], capture_output=True, check=False)
    if known.returncode == 0:
        return
    root = folder / "base"
    command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _RELEASE, str(root)]
    subprocess.run(command, check=True, capture_output=True, timeout=900)
    # This machine's authorities: its way to the packages may have one of its own.
    shutil.copy(Path("/") / _AUTHORITIES, root / _AUTHORITIES)
    packed = subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE)
    docker(
        *("import", "-c", f"ENV PATH={os.defpath}:/usr/sbin:/sbin PIP_CERT=/{_AUTHORITIES}"),
        *("-", BASE),
        stdin=packed.stdout,
    )
    assert packed.wait() == 0
    shutil.rmtree(root)


def make_stand_ins(folder: Path) -> None:
    """Make images of the engines' programs, which the tests have as wheels."""
    context = folder / "stand_ins"
    shutil.copytree(ROOT / "tests/docker/stand_ins", context)
    programs = postgres.find_programs()
    package = programs.parent.parent
    shutil.copytree(programs.parent, context / package.name / programs.parent.name)
    shutil.copytree(package.with_suffix(".libs"), context / f"{package.name}.libs")
    for program in (valkey.find_program(), seaweedfs.find_program()):
        shutil.copy(program, context)
    for copied in ("valkey-server", "valkey-cli", "weed"):
        (context / copied).chmod(0o755)
    for name in STAND_INS:
        options = ("--build-arg", f"BASE={BASE}", "--target", name, "-t", f"lienzo-test/{name}")
        docker("build", *options, str(context))


def build(tag: str, revision: str) -> None:
    """Build the product's image as an operator does, of the tests' base."""
    arguments = ("--build-arg", f"PYTHON={BASE}", "--build-arg", f"REVISION={revision}")
    docker(
        *("build", "--network", "host", *arguments, "-f", "docker/Dockerfile", "-t", tag, "."),
        cwd=ROOT,
        timeout_s=1800,
    )


@dataclass(frozen=True)
class Project:
    """A copy of docker/ that is up."""

    folder: Path
    url: str
    certificate: str

    def compose(self, *arguments: str, timeout_s: float = 600) -> str:
        """Run a command of compose's."""
        return docker("compose", "-p", PROJECT, *arguments, cwd=self.folder, timeout_s=timeout_s)

    def start(self) -> None:
        """Start everything, or fail with what the containers last said."""
        try:
            self.compose("up", "-d")
        except AssertionError as error:
            error.add_note(self.compose("logs", "--tail", "20"))
            raise

    def follow(
        self, section: str, replaced: Mapping[str, str] | None = None, **variables: str
    ) -> None:
        """Run the commands of a section of docs/docker.md as they stand there, but for words."""
        page = (DOCS / "docker.md").read_text(encoding="utf-8").partition(f"\n## {section}\n")[2]
        commands = page.partition("```sh\ncd docker\n")[2].partition("```")[0]
        for there, here in (replaced or {}).items():
            assert there in commands
            commands = commands.replace(there, here)
        done = subprocess.run(
            ["sh", "-c", commands],
            cwd=self.folder,
            env={**without_settings(os.environ), "COMPOSE_PROJECT_NAME": PROJECT, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"

    def manage(self, *arguments: str) -> dict[str, Any]:
        """Run a management command in web's container."""
        done = self.compose("exec", "-T", "web", "python", "manage.py", *arguments, "--json")
        return dict(json.loads(done.splitlines()[-1]))

    def python(self, service: str, code: str) -> str:
        """Run some Python in a container, with what its image has."""
        return self.compose("exec", "-T", service, "python3", "-c", code).strip()

    def shell(self, code: str) -> str:
        """Run some Python in web's container with the product loaded."""
        command = ("exec", "-T", "web", "python", "manage.py", "shell", "-v", "0", "-c", code)
        return self.compose(*command).strip()

    def configure(self, values: Mapping[str, str]) -> None:
        """Change settings in `.env`."""
        file = self.folder / ".env"
        kept = [
            line
            for line in file.read_text(encoding="utf-8").splitlines()
            if line.partition("=")[0] not in values
        ]
        lines = [*kept, *(f"{name}={value}" for name, value in values.items())]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
