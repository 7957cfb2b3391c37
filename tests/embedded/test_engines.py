"""Real engines as the current user: they serve, keep data, and let nobody else in."""

import os
import re
import socket
import stat
from contextlib import contextmanager
from dataclasses import dataclass, replace

import boto3
import psycopg
import pytest
import redis
import requests

from embedded.accounts import server_account
from embedded.children import Folders, stop_all
from embedded.engines import start_engines
from embedded.errors import EngineStartError
from embedded.postgres import homes
from embedded.seaweedfs import SeaweedFS
from embedded.state import PUBLIC_BUCKET, open_state


@contextmanager
def running(engine, var):
    children = start_engines([engine], Folders.under(var))
    try:
        yield engine.environment()
    finally:
        stop_all(children)
    assert [child.exit_code() is not None for child in children] == [True]


def test_postgres_keeps_data_between_starts(var):
    create = "CREATE TABLE kept AS SELECT 42 AS answer"
    with running(open_state(var).postgres(), var) as values:
        _query(values["DATABASE_URL"], create, fetch=False)
    with running(open_state(var).postgres(), var) as values:
        url = values["DATABASE_URL"]
        assert _query(url, "SELECT answer FROM kept") == (42,)
        assert _query(url, "SHOW server_version_num")[0].startswith("18")
        assert _query(url, "SHOW max_connections") == ("200",)


def _query(url, statement, *, fetch=True):
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone() if fetch else None


def test_postgres_admits_only_the_application_with_its_password(var):
    with running(open_state(var).postgres(), var) as values:
        url = values["DATABASE_URL"]
        password = url.split(":")[2].split("@")[0]
        for refused in (
            url.replace(password, "wrong"),
            url.replace(f"lienzo:{password}", "postgres"),
            url.replace(f"lienzo:{password}", f"postgres:{password}"),
        ):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(refused)
        with psycopg.connect(url) as connection:
            rights = "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = %s"
            assert connection.execute(rights, ["lienzo"]).fetchone() == (False, False, False)
            owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'lienzo'"
            assert connection.execute(owner).fetchone() == ("lienzo",)


def test_postgres_takes_a_new_password_when_secrets_were_lost(var):
    with running(open_state(var).postgres(), var) as values:
        before = values["DATABASE_URL"]
    (var / "secrets.env").unlink()
    with running(open_state(var).postgres(), var) as values:
        assert values["DATABASE_URL"] != before
        psycopg.connect(values["DATABASE_URL"]).close()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(before)


def test_postgres_starts_over_a_lock_file_of_another_process(var):
    engine = open_state(var).postgres()
    with running(engine, var):
        pass
    home = next(home for home in homes(var) if home.exists())
    lock = home / "data" / "postmaster.pid"
    # As after a restart of the machine: the number now belongs to somebody else.
    lock.write_text(f"{os.getpid()}\n{home / 'data'}\n0\n{engine.port}\n\n127.0.0.1\n0 0\nready\n")
    with running(engine, var) as values:
        psycopg.connect(values["DATABASE_URL"]).close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account for PostgreSQL")
def test_postgres_lives_outside_a_private_folder_without_opening_it(var):
    var.parent.chmod(0o700)
    with running(open_state(var).postgres(), var) as values:
        psycopg.connect(values["DATABASE_URL"]).close()
    inside, outside = homes(var)
    assert not inside.exists()
    account = server_account(outside / "data")
    assert account is not None
    assert outside.stat().st_uid == account.uid != 0
    assert stat.S_IMODE(var.parent.stat().st_mode) == 0o700


def test_valkey_keeps_data_and_asks_for_its_password(var):
    with running(open_state(var).valkey(), var) as values:
        redis.Redis.from_url(values["REDIS_URL"]).set("kept", "yes")
    with running(open_state(var).valkey(), var) as values:
        assert redis.Redis.from_url(values["REDIS_URL"]).get("kept") == b"yes"
        address = values["REDIS_URL"].split("@")[1]
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url(f"redis://{address}").ping()


def _s3(values):
    return boto3.client(
        "s3",
        endpoint_url=values["S3_ENDPOINT_URL"],
        aws_access_key_id=values["S3_ACCESS_KEY_ID"],
        aws_secret_access_key=values["S3_SECRET_ACCESS_KEY"],
        region_name=values["S3_REGION"],
    )


def test_seaweedfs_keeps_what_was_stored_just_before_it_was_killed(var):
    private = "generated-images-private"

    def engine():
        return open_state(var).seaweedfs(public_bucket=PUBLIC_BUCKET, private_bucket=private)

    images = {f"org/req/{index}.png": os.urandom(20_000) for index in range(40)}
    with running(engine(), var) as values:
        client = _s3(values)
        for bucket in (PUBLIC_BUCKET, private):
            client.create_bucket(Bucket=bucket)
            for key, data in images.items():
                client.put_object(Bucket=bucket, Key=key, Body=data)
    with running(engine(), var) as values:
        client = _s3(values)
        for key, data in images.items():
            assert client.get_object(Bucket=private, Key=key)["Body"].read() == data
        _check_anonymous_access(f"{values['S3_ENDPOINT_URL']}/{PUBLIC_BUCKET}", images)
        closed = f"{values['S3_ENDPOINT_URL']}/{private}/org/req/0.png"
        assert requests.get(closed, timeout=5).status_code == 403


def _check_anonymous_access(bucket_url, images):
    key, data = next(iter(images.items()))
    assert requests.get(f"{bucket_url}/{key}", timeout=5).content == data
    for listing in ("", "/", "/?list-type=2", "?prefix=org/"):
        assert requests.get(f"{bucket_url}{listing}", timeout=5).status_code == 403
    assert b"0.png" not in requests.get(f"{bucket_url}/org/req/", timeout=5).content
    assert requests.put(f"{bucket_url}/new", data=b"x", timeout=5).status_code == 403
    assert requests.delete(f"{bucket_url}/{key}", timeout=5).status_code == 403


def test_start_reports_the_log_of_an_engine_that_cannot_start(var):
    engine = open_state(var).valkey()
    with (
        socket.create_server(("127.0.0.1", engine.port)),
        pytest.raises(EngineStartError, match="Address already in use"),
    ):
        start_engines([engine], Folders.under(var))
    assert list((var / "run").glob("*.json")) == []


def test_state_is_private_and_stays_the_same(var):
    first, second = open_state(var), open_state(var)
    assert first == second
    for name in ("secrets.env", "state.json"):
        assert stat.S_IMODE((var / name).stat().st_mode) == 0o600
    assert len(set(first.secrets.values())) == len(first.secrets)


@pytest.mark.big
def test_seaweedfs_takes_as_much_as_the_disk_does(var):
    engine = open_state(var).seaweedfs(public_bucket=PUBLIC_BUCKET, private_bucket="unused")
    volume_mb = 1
    with running(_WithSmallVolumes(engine, volume_mb), var) as values:
        client = _s3(values)
        client.create_bucket(Bucket=PUBLIC_BUCKET)
        # Each image fills a volume.
        for index in range(40):
            client.put_object(
                Bucket=PUBLIC_BUCKET, Key=f"org/req/{index}.png", Body=os.urandom(volume_mb << 20)
            )


@dataclass(frozen=True)
class _WithSmallVolumes:
    """SeaweedFS as it is, but for the size at which a volume counts as full."""

    engine: SeaweedFS
    volume_mb: int

    def spec(self):
        spec = self.engine.spec()
        argv = [re.sub(r"(volumeSizeLimitMB)=\d+", rf"\1={self.volume_mb}", a) for a in spec.argv]
        assert tuple(argv) != spec.argv
        return replace(spec, argv=tuple(argv))

    def __getattr__(self, name):
        return getattr(self.engine, name)
