"""The backups of the chart: drawn on demand, and their command run as a pod would."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.architecture.tree import ROOT
from tests.deploy.chart import draw, example
from tests.gateway.keeping.databases import new_database
from tests.templates import on_database

DAY_S = 86_400
PLACE = "/backups"


def test_no_backup_is_made_unless_asked_for():
    assert draw().of_kind("CronJob") == []


def test_backup_is_written_to_the_claim_and_only_old_ones_of_it_go(tmp_path):
    (job,) = example("production").of_kind("CronJob")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    volumes = {one["name"]: one for one in pod["volumes"]}
    claim = volumes[mounts[PLACE]]["persistentVolumeClaim"]["claimName"]
    names = {"lienzo-old.backup": 32, "lienzo-new.backup": 29, "other.backup": 99}
    for name, days in names.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - days * DAY_S,) * 2)

    with new_database(is_empty=False) as database:
        run = subprocess.run(
            [part.replace(PLACE, str(tmp_path)) for part in container["command"]],
            env={
                **os.environ,
                "DATABASE_URL": on_database(os.environ["DATABASE_URL"], database),
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            },
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert claim == "lienzo-backups"
    assert (run.returncode, run.stderr) == (0, "")
    left = {path.name for path in tmp_path.iterdir()}
    (made,) = left - names.keys()
    assert left & names.keys() == names.keys() - {"lienzo-old.backup"}
    assert (tmp_path / made).stat().st_size > 10_000
    assert f"bytes in {tmp_path / made}" in run.stdout
