"""Making the two buckets."""

import json
import logging
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError
from django.conf import settings

from gateway.storage.client import s3_config, s3_resource
from gateway.storage.errors import ObjectNotFoundError, StorageError, translated_errors

if TYPE_CHECKING:  # the stubs are no dependency of the running program
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.literals import BucketLocationConstraintType
    from mypy_boto3_s3.type_defs import CreateBucketRequestTypeDef

logger = logging.getLogger(__name__)

_OWNED_CODES = frozenset({"BucketAlreadyExists", "BucketAlreadyOwnedByYou"})
# What servers answer that have no policies or CORS, and those whose owner forbids changing them.
_TOLERATED_CODES = frozenset(
    {
        "AccessDenied",
        "AccessForbidden",
        "InvalidRequest",
        "MethodNotAllowed",
        "NotImplemented",
        "MalformedPolicy",
        "XNotImplemented",
    }
)
# AWS's oldest region is the one that may not be named when creating a bucket.
_DEFAULT_REGION = "us-east-1"


def ensure_buckets() -> None:
    """Create both buckets where they are missing; let anyone read, not list, the public one.

    An existing bucket policy is left as it is. A server that knows no policies or CORS rules, or
    refuses them, is logged as a warning: reading must then be allowed by other means, or pass
    through the gateway.

    Raises:
        StorageError: A bucket neither exists nor can be made.
    """
    client = s3_resource(s3_config()).meta.client
    public, private = settings.S3_BUCKET, settings.S3_PRIVATE_BUCKET
    with translated_errors():
        created = _ensure_bucket(client, public)
        _ensure_bucket(client, private)
        if created and not settings.S3_ENDPOINT_URL:
            _unblock_public_policy(client, public)
        _allow_anonymous_read(client, public)
        _allow_other_origins(client, public)


def is_storage_up() -> bool:
    """Return whether the storage answers for the bucket of public images."""
    try:
        with translated_errors():
            s3_resource(s3_config()).meta.client.head_bucket(Bucket=settings.S3_BUCKET)
    except StorageError as error:
        logger.warning("storage.probe_failed error=%s", error)
        return False
    return True


def _ensure_bucket(client: "S3Client", bucket: str) -> bool:
    """Return whether the bucket had to be created."""
    try:
        with translated_errors():
            client.head_bucket(Bucket=bucket)
    except ObjectNotFoundError:
        pass
    else:
        return False
    request: CreateBucketRequestTypeDef = {"Bucket": bucket}
    region = settings.S3_REGION
    if not settings.S3_ENDPOINT_URL and region not in {"", _DEFAULT_REGION}:
        request["CreateBucketConfiguration"] = {
            "LocationConstraint": cast("BucketLocationConstraintType", region)
        }
    try:
        client.create_bucket(**request)
    except ClientError as error:
        # Another process was quicker. If the name is a stranger's, the next request says so.
        if _code(error) not in _OWNED_CODES:
            raise StorageError(f"cannot create bucket {bucket!r}: {_code(error)}") from error
        return False
    return True


def _unblock_public_policy(client: "S3Client", bucket: str) -> None:
    """Lift what AWS puts on new buckets since 2023-04, or the policy would be refused."""
    try:
        client.delete_public_access_block(Bucket=bucket)
    except ClientError as error:
        _tolerate(error, bucket, "public access block")


def _allow_anonymous_read(client: "S3Client", bucket: str) -> None:
    try:
        client.get_bucket_policy(Bucket=bucket)
    except ClientError as error:
        if _code(error) != "NoSuchBucketPolicy":
            _tolerate(error, bucket, "policy")
            return
    else:
        return
    statement = {
        "Sid": "AnonymousRead",
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{bucket}/*"],
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    try:
        client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    except ClientError as error:
        _tolerate(error, bucket, "policy")


def _allow_other_origins(client: "S3Client", bucket: str) -> None:
    try:
        client.put_bucket_cors(
            Bucket=bucket,
            CORSConfiguration={
                "CORSRules": [
                    {
                        "AllowedMethods": ["GET", "HEAD"],
                        "AllowedOrigins": ["*"],
                        "AllowedHeaders": ["*"],
                        "MaxAgeSeconds": 86400,
                    }
                ]
            },
        )
    except ClientError as error:
        _tolerate(error, bucket, "CORS")


def _tolerate(error: ClientError, bucket: str, what: str) -> None:
    code = _code(error)
    if code not in _TOLERATED_CODES:
        raise StorageError(f"cannot set the {what} of bucket {bucket!r}: {code}") from error
    logger.warning(
        "storage.bucket_setting_refused", extra={"bucket": bucket, "what": what, "code": code}
    )


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
