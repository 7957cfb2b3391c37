"""An OpenID Connect identity provider over HTTP, for tests: it signs in whoever it is told.

Discovery, authorization code with PKCE, token, JWKS and userinfo, as OpenID Connect Core 1.0 has
them; anything that does not fit is refused.
"""

import base64
import hashlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

CLIENT_ID = "lienzo"
CLIENT_SECRET = "the client's secret"
SCOPES = {"openid", "profile", "email"}
LASTS_S = 300


@dataclass
class Grant:
    """What a code or an access token was given for."""

    claims: Mapping[str, object]
    nonce: str | None
    redirect_uri: str
    challenge: str


@dataclass
class Identity:
    """Who is at the browser, or why they are not let through.

    `is_broken` forgets the codes that it gives.
    """

    claims: dict[str, object] = field(default_factory=dict)
    error: str = ""
    is_broken: bool = False


class OpenIdProvider(ThreadingHTTPServer):
    """Answers on a loopback port; `identity` says who signs in."""

    daemon_threads = True

    def __init__(self, listening: socket.socket | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=listening is None)
        if listening is not None:
            self.socket.close()
            self.socket = listening
            self.server_address = listening.getsockname()
        self.key = generate_private_key(public_exponent=65537, key_size=2048)
        self.identity = Identity()
        self.grants: dict[str, Grant] = {}
        self.refusals: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def sign_in(self, email: str, *, verified: object = True, **claims: object) -> None:
        """Let whoever comes be this person."""
        subject = hashlib.sha256(email.encode()).hexdigest()[:16]
        known = {"sub": subject, "email": email, "email_verified": verified, **claims}
        self.identity = Identity(known)

    def discovery(self) -> dict[str, object]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
        }

    def jwks(self) -> dict[str, object]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": "1", "use": "sig", "alg": "RS256"}]}

    def authorize(self, query: Mapping[str, str]) -> str:
        """Return where the browser is sent."""
        missing = {"client_id", "redirect_uri", "state", "code_challenge"} - query.keys()
        wrong = (
            query.get("response_type") != "code"
            or query.get("client_id") != CLIENT_ID
            or query.get("code_challenge_method") != "S256"
            or not set(query.get("scope", "").split()) >= SCOPES
        )
        if missing or wrong:
            raise RefusedError("invalid_request")
        answer = {"state": query["state"]}
        if self.identity.error:
            answer["error"] = self.identity.error
        else:
            answer["code"] = code = secrets.token_urlsafe(16)
            self.grants[code] = Grant(
                dict(self.identity.claims),
                query.get("nonce"),
                query["redirect_uri"],
                query["code_challenge"],
            )
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def token(self, form: Mapping[str, str]) -> dict[str, object]:
        """Change a code for tokens, once."""
        grant = self.grants.pop(form.get("code", ""), None)
        client = (form.get("client_id"), form.get("client_secret"))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if client != (CLIENT_ID, CLIENT_SECRET):
            raise RefusedError("invalid_client")
        if (
            self.identity.is_broken
            or grant is None
            or form.get("grant_type") != "authorization_code"
        ):
            raise RefusedError("invalid_grant")
        if challenge != grant.challenge or form.get("redirect_uri") != grant.redirect_uri:
            raise RefusedError("invalid_grant")
        moment = int(time.time())
        claims = {
            **grant.claims,
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": moment,
            "exp": moment + LASTS_S,
            **({"nonce": grant.nonce} if grant.nonce else {}),
        }
        access = secrets.token_urlsafe(16)
        self.grants[access] = grant
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": LASTS_S,
            "id_token": jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "1"}),
        }

    def userinfo(self, authorization: str) -> dict[str, object]:
        grant = self.grants.get(authorization.removeprefix("Bearer "))
        if grant is None:
            raise RefusedError("invalid_token")
        return dict(grant.claims)


class RefusedError(Exception):
    """The request is not one that the protocol allows."""


class _Handler(BaseHTTPRequestHandler):
    server: OpenIdProvider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        match parts.path:
            case "/.well-known/openid-configuration":
                self._say(200, self.server.discovery())
            case "/jwks":
                self._say(200, self.server.jwks())
            case "/authorize":
                self._answer(
                    lambda: self._lead(self.server.authorize(dict(parse_qsl(parts.query))))
                )
            case "/userinfo":
                access = self.headers.get("Authorization", "")
                self._answer(lambda: self._say(200, self.server.userinfo(access)))
            case _:
                self._say(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._answer(lambda: self._say(200, self.server.token(dict(parse_qsl(body)))))

    def _answer(self, act: Any) -> None:
        try:
            act()
        except RefusedError as error:
            self.server.refusals.append(str(error))
            self._say(400, {"error": str(error)})

    def _lead(self, url: str) -> None:
        self.send_response(302)
        self.send_header("Location", url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _say(self, status: int, payload: Mapping[str, object]) -> None:
        body = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def identity_provider(listening: socket.socket | None = None) -> Iterator[OpenIdProvider]:
    provider = OpenIdProvider(listening)
    thread = threading.Thread(target=provider.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.shutdown()
        if listening is None:
            provider.server_close()
        thread.join(5)
