"""The short path to S3: botocore's own signer and transport without what lies between them.

`put_object` resolves an endpoint, runs some forty event handlers, waits for `100 Continue` and
parses an answer without content: a millisecond of CPU and two of waiting for each image. Reading is
alike.
"""

import functools
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import botocore.session
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
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
# botocore takes urllib3's own off: a body smaller than a packet then waits for the receipt of its
# headers, which the other side puts off for 40 ms.
_NO_DELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


class DirectBucket:
    """Puts into and reads from one bucket; shared by all greenlets.

    Whatever does not go as it should is left open here, for the client's own method to do over: it
    retries, follows AWS to other regions and says what is wrong.
    """

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
            socket_options=_NO_DELAY,  # type: ignore[arg-type]  # the stubs know texts
        )

    def put(self, key: str, data: bytes, headers: Mapping[str, str]) -> bool:
        """Put an object; return whether the server said that it did.

        With `If-None-Match` doing it over does no harm.
        """
        answer = self._send("PUT", key, headers, data)
        return answer is not None and answer.status_code == _OK

    def get(self, key: str) -> AWSResponse | None:
        """Return an answer whose headers have arrived, and whose `raw` body is to be read."""
        answer = self._send("GET", key, {}, None)
        if answer is None or answer.status_code == _OK:
            return answer
        answer.raw.close()
        return None

    def _send(
        self, method: str, key: str, headers: Mapping[str, str], data: bytes | None
    ) -> AWSResponse | None:
        forbid_open_transaction()
        if self._credentials is None:
            return None
        url = self._base_url + quote(key, safe="/~")
        request = AWSRequest(
            method, url, headers=dict(headers), data=data, stream_output=method == "GET"
        )
        # The signer reads from it that payloads are not hashed.
        request.context["client_config"] = self._config
        frozen: Any = self._credentials.get_frozen_credentials()
        S3SigV4Auth(frozen, "s3", self._region).add_auth(request)
        try:
            return self._http.send(request.prepare())
        except BotoCoreError:
            return None


@functools.cache
def _direct_bucket(config: S3Config, bucket: str) -> DirectBucket:
    return DirectBucket(config, bucket)


def direct_bucket(bucket: str) -> DirectBucket:
    """Return the process's short path to a bucket where the settings say."""
    return _direct_bucket(s3_config(), bucket)
