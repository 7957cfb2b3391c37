"""Puts on the short path: botocore's own signer and transport without what lies between them.

`put_object` resolves an endpoint, runs some forty event handlers, waits for `100 Continue` and
parses an answer without content: a millisecond of CPU and two of waiting for each image.
"""

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import botocore.session
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from gateway.storage.client import (
    CONNECT_TIMEOUT_S,
    POOL_SIZE,
    READ_TIMEOUT_S,
    S3Config,
    s3_config,
    s3_resource,
    s3_session,
)
from gateway.storage.guard import forbid_open_transaction

if TYPE_CHECKING:  # the stubs are no dependency of the running program
    from botocore.config import Config

_OK = 200


class Putter:
    """Puts objects into one bucket; shared by all greenlets."""

    def __init__(self, config: S3Config, bucket: str) -> None:
        client = s3_resource(config).meta.client
        # botocore itself says where the bucket is: path or virtual host, AWS or another server.
        signed = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "-"})
        self._base_url = signed.partition("?")[0].removesuffix("-")
        self._config: Config = client.meta.config
        self._credentials = s3_session(config).get_credentials()
        self._region = client.meta.region_name
        self._http = URLLib3Session(
            verify=botocore.session.get_session().get_config_variable("ca_bundle") or True,
            proxies=get_environ_proxies(self._base_url),
            timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),  # type: ignore[arg-type]  # the stubs know one number
            max_pool_connections=POOL_SIZE,
        )

    def put(self, key: str, data: bytes, headers: Mapping[str, str]) -> bool:
        """Put an object; return whether the server said that it did.

        False leaves open what happened, and is for `put_object` to find out, which retries and
        follows AWS to other regions; with `If-None-Match` doing it again does no harm.
        """
        forbid_open_transaction()
        if self._credentials is None:
            return False
        url = self._base_url + quote(key, safe="/~")
        request = AWSRequest("PUT", url, headers=dict(headers), data=data)
        # The signer reads from it that payloads are not hashed.
        request.context["client_config"] = self._config
        frozen: Any = self._credentials.get_frozen_credentials()
        S3SigV4Auth(frozen, "s3", self._region).add_auth(request)
        try:
            return bool(self._http.send(request.prepare()).status_code == _OK)
        except BotoCoreError:
            return False


@functools.cache
def putter(config: S3Config, bucket: str) -> Putter:
    """Return the process's putter for a bucket."""
    return Putter(config, bucket)


def put_quickly(bucket: str, key: str, data: bytes, headers: Mapping[str, str]) -> bool:
    """Put an object where the settings say; see `Putter.put`."""
    return putter(s3_config(), bucket).put(key, data, headers)
