"""Typed reading of environment variables: every setting is parsed once, and loud on error."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
RATE_SOURCES = frozenset({"ecb", "banxico"})
FALSE_WORDS = frozenset({"", "0", "false", "no", "off"})


class Environment:
    """A view of environment variables with types.

    `NAME_FILE` names a file that holds the value of `NAME`, for secrets kept in files.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = os.environ if variables is None else variables

    def text(self, name: str, default: str = "") -> str:
        """Return the value of `name`, of the file `<name>_FILE`, or the default.

        Raises:
            ImproperlyConfigured: Both are set, so that one would silently count for nothing, or
                the file cannot be read.
        """
        value = self._variables.get(name)
        path = self._variables.get(f"{name}_FILE")
        if value and path:
            raise ImproperlyConfigured(f"{name} and {name}_FILE are both set: keep one of them.")
        if value:
            return value.strip()
        if path:
            try:
                return Path(path).read_text().strip()
            except OSError as error:
                raise ImproperlyConfigured(f"{name}_FILE: cannot read {path}: {error}") from error
        return default

    def required(self, name: str, hint: str) -> str:
        """Return the value of `name`; say `hint` when it is missing."""
        value = self.text(name)
        if not value:
            raise ImproperlyConfigured(f"{name} is not set. {hint}")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a yes/no value."""
        value = self.text(name, "1" if default else "0").lower()
        if value in TRUE_WORDS:
            return True
        if value in FALSE_WORDS:
            return False
        raise ImproperlyConfigured(f"{name}={value!r}: use 1 or 0.")

    def integer(
        self, name: str, default: int, *, minimum: int = 0, maximum: int | None = None
    ) -> int:
        """Return a whole number of at least `minimum`, and at most `maximum` if there is one."""
        value = self.text(name, str(default))
        try:
            number = int(value)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}={value!r}: use a whole number.") from error
        if number < minimum:
            raise ImproperlyConfigured(f"{name}={number}: must be at least {minimum}.")
        if maximum is not None and number > maximum:
            raise ImproperlyConfigured(f"{name}={number}: must be at most {maximum}.")
        return number

    def words(self, name: str, default: str = "") -> list[str]:
        """Return a comma-separated list without blanks."""
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def networks(self, name: str) -> list[IPv4Network | IPv6Network]:
        """Return a comma-separated list of CIDR networks."""
        try:
            return [ip_network(word, strict=False) for word in self.words(name)]
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: {error}") from error

    def targets(self, name: str) -> list[tuple[str, int]]:
        """Return a comma-separated list of `host:port`; hosts in lower case, IPv6 in brackets."""
        found = []
        for word in self.words(name):
            try:
                parts = urlsplit(f"//{word}")
                host, port = parts.hostname, parts.port
            except ValueError as error:
                raise ImproperlyConfigured(f"{name}: {word!r}: {error}") from error
            if not host or not port or parts.netloc != word or "@" in word:
                raise ImproperlyConfigured(f"{name}: {word!r}: use host:port.")
            found.append((host, port))
        return found

    def fraction(self, name: str, default: str) -> Decimal:
        """Return a fraction of at least 0 and below 1, with at most six decimals."""
        value = self.text(name, default)
        if not re.fullmatch(r"0(\.[0-9]{1,6})?", value, re.ASCII):
            raise ImproperlyConfigured(f"{name}={value!r}: use a fraction like 0.01, below 1.")
        return Decimal(value)

    def rate_sources(self, name: str, default: str) -> dict[str, list[str]]:
        """Return the sources of each pair of currencies, and of `*`, all others, in their order."""
        value = self.text(name, default)
        found: dict[str, list[str]] = {}
        for part in value.split(";"):
            pair, _, sources = part.partition("=")
            found[pair.strip()] = [one.strip() for one in sources.split(",")]
        usable = all(re.fullmatch(r"\*|[A-Z]{3}/[A-Z]{3}", pair) for pair in found)
        if not usable or "*" not in found or not set().union(*found.values()) <= RATE_SOURCES:
            raise ImproperlyConfigured(
                f"{name}={value!r}: write pairs and their sources, like"
                f" USD/MXN=banxico,ecb;*=ecb. There are {', '.join(sorted(RATE_SOURCES))}."
            )
        return found

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """Return one of `choices`."""
        value = self.text(name, default)
        if value not in choices:
            raise ImproperlyConfigured(f"{name}={value!r}: use one of {', '.join(choices)}.")
        return value


def parse_database_url(url: str) -> dict[str, object]:
    """Return Django's settings of a `postgres://user:password@host:port/name?option=value` URL."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL must start with postgres:// (PostgreSQL only).")
    options: dict[str, object] = dict(parse_qsl(parts.query))
    host = str(options.pop("host", "")) or unquote(parts.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }


@dataclass(frozen=True, slots=True)
class Mailer:
    """How mail is sent: Django's backend and what it is told.

    Attributes:
        starttls: Turn a plain connection into an encrypted one before anything is said.
        tls: Connect with encryption.
        folder: Where files of mails are kept in place of sending.
    """

    backend: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    starttls: bool = False
    tls: bool = False
    folder: str | None = None


def parse_email_url(url: str) -> Mailer:
    """Return what an `EMAIL_URL` says.

    `smtp://user:password@host:port`, `smtp+tls://` (STARTTLS), `smtps://` (TLS from the start),
    `file:///folder`, or `console:`.
    """
    backends = "django.core.mail.backends"
    ports = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
    parts = urlsplit(url)
    if parts.scheme == "console":
        return Mailer(f"{backends}.console.EmailBackend")
    if parts.scheme == "file" and parts.path:
        return Mailer(f"{backends}.filebased.EmailBackend", folder=unquote(parts.path))
    if parts.scheme not in ports or not parts.hostname:
        raise ImproperlyConfigured(
            "EMAIL_URL must be smtp://, smtp+tls:// or smtps:// with a host, file:///folder or"
            " console:"
        )
    return Mailer(
        f"{backends}.smtp.EmailBackend",
        host=parts.hostname,
        port=parts.port or ports[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        starttls=parts.scheme == "smtp+tls",
        tls=parts.scheme == "smtps",
    )
