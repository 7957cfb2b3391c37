"""The environment of Lienzo's processes on one machine, and what of the user's may go in."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from embedded.errors import EmbeddedError
from embedded.state import PUBLIC_BUCKET, State

PROVIDERS = (
    "OPENAI",
    "AZURE_OPENAI",
    "GEMINI",
    "XAI",
    "FAL",
    "BFL",
    "STABILITY",
    "IDEOGRAM",
)
# Read by commands, too, which know the environment of the running processes alone.
_KEYS = (
    "SECRET_KEY_FALLBACKS",
    "API_KEY_HMAC_PREVIOUS_SECRETS",
    "WEBHOOK_ENCRYPTION_KEYS",
    "BACKUP_ENCRYPTION_KEYS",
)
_SERVICES = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL")
# What the product and its libraries read, as `docs/settings.md` lists it, all but its folder.
_SETTINGS = (
    rf"(?:(?:{'|'.join(PROVIDERS)})_(?:API_KEY|BASE_URL|MAX_CONCURRENCY|TIMEOUT_S)"
    r"|AZURE_OPENAI_API_VERSION|GEMINI_VERTEX.*|SANDBOX_BASE_URL"
    r"|LIENZO_SANDBOX|LIENZO_EMBEDDED|ALLOW_PRIVATE_UPSTREAMS|HOST|PORT|PUBLIC_BASE_URL"
    r"|ALLOWED_HOSTS|TRUSTED_PROXY_CIDRS|TRUST_TRACEPARENT|LOG_.*|OTEL_.*|SENTRY_.*|METRICS_.*"
    r"|DATABASE_.*|REDIS_URL|CELERY_BROKER_URL|S3_.*|AWS_.*|SIGNED_URL_TTL_S|BACKUP_.*"
    r"|SECRET_KEY|SECRET_KEY_FALLBACKS|API_KEY_HMAC_.*|WEBHOOK_.*|OIDC_.*"
    r"|STRIPE_(?:SECRET_KEY|WEBHOOK_SECRET|WEBHOOK_URL|BASE_URL|CHECKOUT_URL)"
    r"|EMAIL_URL|OPERATOR_EMAILS|DEFAULT_FROM_EMAIL|STATEMENT_ISSUER|INVOICE_.*"
    r"|FX_.*|ECB_BASE_URL|BANXICO_BASE_URL|BANXICO_TOKEN"
    r"|WEB_PROCESSES|WORKER_POOL_SIZE|TRANSFER_LIMIT|FORBID_NETWORK_IN_TRANSACTION"
    r"|REQUEST_BODY_MAX_BYTES|UPLOAD_MAX_BYTES|IMAGE_MAX_BYTES|IMAGE_MAX_PIXELS)(?:_FILE)?"
)
_READ = re.compile(_SETTINGS)
# And what a shell may hold for a provider's SDK or for a client. Tests start without any of it.
_HELD = re.compile(
    rf"{_SETTINGS}|.*_API_KEY|.*_BASE_URL|OPENAI_.*|FAL_.*|AZURE_OPENAI_.*|GEMINI_.*|LIENZO_.*"
    r"|STRIPE_.*|SECRET_KEY.*|.*_MAX_CONCURRENCY|.*_TIMEOUT_S|DJANGO_SETTINGS_MODULE"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the web process listens and how clients reach it."""

    host: str
    port: int
    public_base_url: str

    @property
    def own_url(self) -> str:
        """How this host itself is reached, whatever stands before it for clients."""
        return f"http://{self.host}:{self.port}"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Address":
        """Read ``HOST``, ``PORT`` and ``PUBLIC_BASE_URL``.

        Raises:
            EmbeddedError: ``PORT`` is not a port.
        """
        text = environ.get("PORT") or "8000"
        if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:  # noqa: PLR2004 - ports are 16 bits
            raise EmbeddedError(f"PORT={text} is not a port number. Example: PORT=8000 make run")
        public = environ.get("PUBLIC_BASE_URL") or f"http://127.0.0.1:{text}"
        return cls(environ.get("HOST") or "127.0.0.1", int(text), public.rstrip("/"))


def product_environment(
    state: State, address: Address, engines: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return every variable that this machine defines; the user's own values win.

    Args:
        state: Gives the secrets and the sandbox's port.
        address: Where the web process is reached.
        engines: The variables of the engines that run here.
        environ: The environment of the user.
    """
    sandbox = f"http://{state.address}:{state.ports['sandbox'][0]}"
    defaults = {
        **engines,
        **({} if environ.get("STRIPE_SECRET_KEY") else _played_payments(state, address, sandbox)),
        "S3_BUCKET": PUBLIC_BUCKET,
        "S3_REGION": "us-east-1",
        "SECRET_KEY": state.secrets["SECRET_KEY"],
        "API_KEY_HMAC_SECRET": state.secrets["API_KEY_HMAC_SECRET"],
        "HOST": address.host,
        "PORT": str(address.port),
        "PUBLIC_BASE_URL": address.public_base_url,
        "SANDBOX_BASE_URL": sandbox,
        "ECB_BASE_URL": f"{sandbox}/ecb",
        "BANXICO_BASE_URL": f"{sandbox}/banxico",
        "BANXICO_TOKEN": "sandbox",
        "ALLOW_PRIVATE_UPSTREAMS": "1",
        "LIENZO_EMBEDDED": "1",
        "LIENZO_SANDBOX": "auto",
        "LIENZO_VAR": str(state.var),
        "WORKER_POOL_SIZE": "6400",
        "WEB_PROCESSES": "2",
    }
    known = (*_SERVICES, *_KEYS, *defaults, *(name for name in environ if name.startswith("S3_")))
    values = {**defaults, **{name: environ[name] for name in known if environ.get(name)}}
    values.setdefault("S3_PRIVATE_BUCKET", f"{values['S3_BUCKET']}-private")
    values.setdefault("S3_PUBLIC_BASE_URL", f"{address.public_base_url}/{values['S3_BUCKET']}")
    return values


def _played_payments(state: State, address: Address, sandbox: str) -> dict[str, str]:
    """Return the variables by which the sandbox plays Stripe: no key of the user's is there."""
    here = "127.0.0.1" if address.host in {"", "0.0.0.0", "::"} else address.host  # noqa: S104 - compared
    return {
        "STRIPE_BASE_URL": f"{sandbox}/stripe",
        "STRIPE_CHECKOUT_URL": sandbox,
        "STRIPE_SECRET_KEY": "sk_test_sandbox",
        "STRIPE_WEBHOOK_SECRET": state.secrets["STRIPE_WEBHOOK_SECRET"],
        "STRIPE_WEBHOOK_URL": f"http://{here}:{address.port}/stripe/webhook",
    }


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without anything that sets up Lienzo or points at a provider."""
    return {name: value for name, value in environ.items() if not _HELD.fullmatch(name)}


def settings_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what of an environment the product reads, but its folder: no others' keys."""
    return {name: value for name, value in environ.items() if _READ.fullmatch(name)}


def taken_names(environ: Mapping[str, str]) -> Sequence[str]:
    """Return which of the user's variables decide about services and providers, sorted."""
    providers = {f"{name}_{kind}" for name in PROVIDERS for kind in ("API_KEY", "BASE_URL")}
    providers.add("STRIPE_SECRET_KEY")
    return sorted(
        name
        for name, value in environ.items()
        if value and (name in providers or name in _SERVICES or name.startswith("S3_"))
    )


def refuse_own_address(environ: Mapping[str, str], address: Address) -> None:
    """Refuse a provider's base URL that is this gateway, which would call itself for ever.

    Raises:
        EmbeddedError: Naming the variable.
    """
    public = urlsplit(address.public_base_url)
    own = {(public.hostname, public.port or _default_port(public.scheme))}
    own.add((address.host.lower(), address.port))
    for provider in PROVIDERS:
        name = f"{provider}_BASE_URL"
        found = urlsplit(environ.get(name, ""))
        port = found.port or _default_port(found.scheme)
        is_here = _is_local(found.hostname) and port == address.port
        if found.hostname and (is_here or (found.hostname, port) in own):
            raise EmbeddedError(
                f"{name}={environ[name]} is this gateway's own address: it would call itself. "
                f"Unset {name}, or point it at the provider."
            )


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _is_local(host: str | None) -> bool:
    if host is None:
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
