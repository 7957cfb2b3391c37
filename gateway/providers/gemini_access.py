"""Where Google's models are called, and as whom: the Gemini API, or Vertex AI.

Options of the endpoint, all of them text:

- `vertex`: not empty calls Vertex AI; without a project in its express mode, with an API key.
- `vertex_project`: the Google Cloud project. The endpoint's key is then the JSON of a service
  account's key, or an access token that somebody else renews.
- `vertex_location`: where the project's calls are served, e.g. `us-central1`.

Source: the official Python client and Google's REST references, read 2026-11-21.
"""

import functools
import re
from collections.abc import Mapping
from urllib.parse import quote

import orjson
from google.auth import exceptions
from google.oauth2 import service_account

from gateway.providers.base import Endpoint
from gateway.providers.errors import BadCredentials, ModelRetired

DEFAULT_LOCATION = "us-central1"
_MODEL = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def method_url(endpoint: Endpoint, model: str, method: str) -> str:
    """Return the URL of a model's method, below the endpoint's base URL.

    Raises:
        ModelRetired: The model's name is not one that could exist.
    """
    if not _MODEL.fullmatch(model):
        raise ModelRetired("the model's name is not valid")
    base, options = endpoint.base_url.rstrip("/"), endpoint.options
    if not options.get("vertex"):
        return f"{base}/v1beta/models/{model}:{method}"
    project = options.get("vertex_project")
    if not project:
        return f"{base}/v1beta1/publishers/google/models/{model}:{method}"
    place = f"projects/{quote(project, safe='')}/locations/{quote(_location(options), safe='')}"
    return f"{base}/v1/{place}/publishers/google/models/{model}:{method}"


def credentials_of(endpoint: Endpoint) -> dict[str, str]:
    """Return the header that says who calls.

    Raises:
        BadCredentials: The service account's key is not usable.
    """
    options, key = endpoint.options, endpoint.api_key
    is_account = key.lstrip().startswith("{")
    if options.get("vertex") and options.get("vertex_project"):
        return {"Authorization": f"Bearer {_signed_token(key) if is_account else key}"}
    if is_account:
        raise BadCredentials("a service account's key needs a project of Vertex AI")
    return {"x-goog-api-key": key}


def _location(options: Mapping[str, str]) -> str:
    return options.get("vertex_location") or DEFAULT_LOCATION


def _signed_token(key: str) -> str:
    """Return a token of a service account, signed here: no call to a token server is needed."""
    try:
        account = _service_account(key)
        if not account.valid:
            account.refresh(None)  # type: ignore[no-untyped-call]  # the library has no types
    except (exceptions.GoogleAuthError, ValueError, KeyError) as error:
        # The library's own words may quote the key.
        raise BadCredentials("the service account's key is not usable") from error
    return str(account.token)


@functools.lru_cache(maxsize=4)
def _service_account(key: str) -> service_account.Credentials:
    """Return the account of a key; it keeps its token until that is about to expire."""
    account: service_account.Credentials
    account = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]  # as above
        orjson.loads(key), scopes=[_SCOPE], always_use_jwt_access=True
    )
    return account
