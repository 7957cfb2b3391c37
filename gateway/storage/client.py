"""The one S3 client of the process."""

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, cast

import boto3
from botocore.config import Config
from django.conf import settings

from gateway.storage.guard import forbid_open_transaction

if TYPE_CHECKING:  # the stubs are no dependency of the running program
    from mypy_boto3_s3.service_resource import S3ServiceResource

POOL_SIZE = 64
CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 20
_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class S3Config:
    """Where the storage is and how to speak to it."""

    endpoint_url: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)
    addressing_style: Literal["auto", "path", "virtual"]


def s3_config() -> S3Config:
    """Return what the settings say.

    Without an endpoint it is AWS. Without keys boto3 looks for them itself (instance role, ...).
    """
    endpoint_url = settings.S3_ENDPOINT_URL
    style = settings.S3_ADDRESSING_STYLE or ("path" if endpoint_url else "auto")
    return S3Config(
        endpoint_url=endpoint_url,
        region=settings.S3_REGION,
        access_key=settings.S3_ACCESS_KEY_ID,
        secret_key=settings.S3_SECRET_ACCESS_KEY,
        addressing_style=cast("Literal['auto', 'path', 'virtual']", style),
    )


def signing_config() -> S3Config:
    """Return the same with the endpoint of signed addresses: a signature is for one host name."""
    config = s3_config()
    return replace(config, endpoint_url=settings.S3_SIGNED_ENDPOINT_URL or config.endpoint_url)


@functools.cache
def s3_session(config: S3Config) -> boto3.Session:
    """Return the process's session, which finds and renews credentials."""
    return boto3.Session(
        aws_access_key_id=config.access_key or None,
        aws_secret_access_key=config.secret_key or None,
        region_name=config.region or None,
    )


@functools.cache
def s3_resource(config: S3Config) -> "S3ServiceResource":
    """Return the process's resource for `config`; its `meta.client` is shared by all greenlets.

    Making one takes about 100 ms of CPU and a connection pool, hence one per process.
    """
    resource = s3_session(config).resource(
        "s3",
        endpoint_url=config.endpoint_url or None,
        config=Config(
            signature_version="s3v4",
            # A put carries its SHA-256 in a signed header, which covers the body; hashing it a
            # second time for the signature would only cost CPU.
            s3={"addressing_style": config.addressing_style, "payload_signing_enabled": False},
            max_pool_connections=POOL_SIZE,
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            # Compatible servers differ in botocore's own trailing checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    resource.meta.client.meta.events.register("before-call.s3", _check_connections)
    return resource


def _check_connections(**_: object) -> None:
    """Run before every request of the client, whoever makes it; presigning makes none."""
    forbid_open_transaction()
