"""Django settings of every process. Each value comes from the environment; see docs/settings.md."""

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config.console import content_security_policy, openid_connect
from config.env import Environment, parse_database_url, parse_email_url
from config.logs.settings import FORMATS, LEVELS, logging_settings

VERSION = "0.1.0"
BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

EMBEDDED = env.flag("LIENZO_EMBEDDED")
VAR_DIR = Path(env.text("LIENZO_VAR", str(BASE_DIR / "var"))).resolve()
DEBUG = False
READY_FILE = env.text("LIENZO_READY_FILE")  # `core.readiness`

# Secrets. A development fallback exists only for commands that touch no service (checks).
INSECURE_SECRET = "insecure-only-for-commands-without-services"  # noqa: S105
SECRET_KEY = env.text("SECRET_KEY", INSECURE_SECRET)
# Others that verify and decrypt, so that each can be replaced while old and new processes serve.
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
API_KEY_HMAC_SECRET = env.text("API_KEY_HMAC_SECRET", INSECURE_SECRET)
API_KEY_HMAC_PREVIOUS_SECRETS = env.words("API_KEY_HMAC_PREVIOUS_SECRETS")

HOST = env.text("HOST", "127.0.0.1")
PORT = env.integer("PORT", 8000, minimum=1)
PUBLIC_BASE_URL = env.text("PUBLIC_BASE_URL", f"http://{HOST}:{PORT}").rstrip("/")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "*" if EMBEDDED else "localhost,127.0.0.1,[::1]")
TRUSTED_PROXY_CIDRS = env.networks("TRUSTED_PROXY_CIDRS")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "storages",
    # Before allauth: their templates win over its own.
    "core",
    "orgs",
    "billing",
    "gateway",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "django_htmx",
    "csp",
]
# What every request passes. The API's paths pass nothing else: see `config.wsgi`.
API_MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "gateway.api.middleware.RequestContextMiddleware",
]
MIDDLEWARE = [
    *API_MIDDLEWARE,
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "orgs.console.languages.LanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "orgs.console.sessions.RenewedSessionMiddleware",
    "orgs.console.operations.impersonation.ImpersonationMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
AUTH_USER_MODEL = "orgs.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "orgs.console.context.frame",
            ],
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
APPEND_SLASH = False
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# PostgreSQL. Connections come from a pool per process and go back to it before any wait.
DATABASE_URL = env.text("DATABASE_URL", "postgres://lienzo@127.0.0.1:5432/lienzo")
DATABASE_POOL_SIZE = env.integer("DATABASE_POOL_SIZE", 10)
_database = parse_database_url(DATABASE_URL)
_options = _database["OPTIONS"]
assert isinstance(_options, dict)  # noqa: S101
_options.update({"connect_timeout": 5, "tcp_user_timeout": 25_000} | _options)
# A frozen peer must not hold a greenlet for ever: keepalives and, while a query is on its way, the
# time-out above (ms) find a dead host, those below a stuck lock or an abandoned transaction.
_options.update({"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3} | _options)
_options.setdefault(
    "options",
    "-c lock_timeout=10s -c statement_timeout=60s -c idle_in_transaction_session_timeout=60s"
    # The other way round: the locks of a host whose power fails must not outlive it for hours.
    " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3",
)
# Prepared statements save the server a third of its work. A pooler in between, in session mode,
# must know them (PgBouncer 1.21 does); DATABASE_PREPARED_STATEMENTS=0 does without.
DATABASE_PREPARED_STATEMENTS = env.flag("DATABASE_PREPARED_STATEMENTS", default=True)
_options["server_side_binding"] = DATABASE_PREPARED_STATEMENTS
_options["prepare_threshold"] = 3 if DATABASE_PREPARED_STATEMENTS else None
# A burst waits its turn for a connection: 2,000 requests at once take two cores half a minute.
if DATABASE_POOL_SIZE:
    _options["pool"] = {
        "min_size": 1,
        "max_size": DATABASE_POOL_SIZE,
        "timeout": 60,
        "max_idle": 60,
    }
DATABASES = {
    "default": {
        **_database,
        "ENGINE": "core.postgres",
        "CONN_MAX_AGE": 0,
        # The backend looks at each connection itself.
        "CONN_HEALTH_CHECKS": False,
        "ATOMIC_REQUESTS": False,
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }
}

# Valkey or Redis: wakes and announcements only, never truth.
REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", REDIS_URL)

# S3.
S3_ENDPOINT_URL = env.text("S3_ENDPOINT_URL")
S3_SIGNED_ENDPOINT_URL = env.text("S3_SIGNED_ENDPOINT_URL")
S3_BUCKET = env.text("S3_BUCKET", "generated-images")
S3_PRIVATE_BUCKET = env.text("S3_PRIVATE_BUCKET", f"{S3_BUCKET}-private")
S3_ACCESS_KEY_ID = env.text("S3_ACCESS_KEY_ID")
S3_SECRET_ACCESS_KEY = env.text("S3_SECRET_ACCESS_KEY")
S3_REGION = env.text("S3_REGION", "us-east-1")
S3_ADDRESSING_STYLE = env.choice(
    "S3_ADDRESSING_STYLE", "path" if S3_ENDPOINT_URL else "auto", ("auto", "path", "virtual")
)
S3_PUBLIC_BASE_URL = env.text(
    "S3_PUBLIC_BASE_URL",
    f"{PUBLIC_BASE_URL}/generated-images"
    if EMBEDDED or not S3_ENDPOINT_URL
    else f"{S3_ENDPOINT_URL.rstrip('/')}/{S3_BUCKET}",
).rstrip("/")
SIGNED_URL_TTL_S = env.integer("SIGNED_URL_TTL_S", 3600, minimum=60)
STORAGES = {
    "default": {"BACKEND": "gateway.storage.PublicImageStorage"},
    "images": {"BACKEND": "gateway.storage.PublicImageStorage"},
    "private_images": {"BACKEND": "gateway.storage.PrivateImageStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# Providers: a base URL and a key each. An empty base URL means the provider's own.
PROVIDER_PREFIXES = {
    "openai": "OPENAI",
    "azure_openai": "AZURE_OPENAI",
    "gemini": "GEMINI",
    "xai": "XAI",
    "fal": "FAL",
    "bfl": "BFL",
    "stability": "STABILITY",
    "ideogram": "IDEOGRAM",
}
PROVIDER_ENDPOINTS = {
    provider: {
        "base_url": env.text(f"{prefix}_BASE_URL").rstrip("/"),
        "api_key": env.text(f"{prefix}_API_KEY"),
    }
    for provider, prefix in PROVIDER_PREFIXES.items()
}
# Google's models on Vertex AI in place of the Gemini API. Its hosts are named after locations; the
# express mode, which has an API key and no project, knows only the host of all of them.
GEMINI_VERTEX_PROJECT = env.text("GEMINI_VERTEX_PROJECT")
GEMINI_VERTEX_LOCATION = env.text("GEMINI_VERTEX_LOCATION", "us-central1")
GEMINI_VERTEX = env.flag("GEMINI_VERTEX", default=bool(GEMINI_VERTEX_PROJECT))
if GEMINI_VERTEX and not PROVIDER_ENDPOINTS["gemini"]["base_url"]:
    _is_regional = GEMINI_VERTEX_PROJECT and GEMINI_VERTEX_LOCATION != "global"
    PROVIDER_ENDPOINTS["gemini"]["base_url"] = (
        f"https://{GEMINI_VERTEX_LOCATION}-aiplatform.googleapis.com"
        if _is_regional
        else "https://aiplatform.googleapis.com"
    )
# Seconds one call to a provider may take; 0 leaves it the whole deadline of its generation.
PROVIDER_TIMEOUTS = {
    provider: env.integer(f"{prefix}_TIMEOUT_S", 0, minimum=0)
    for provider, prefix in PROVIDER_PREFIXES.items()
}
# Most calls to a provider at the same time, over all workers; 0 is no limit. Black Forest Labs
# answers 429 from 24 active tasks on (its documentation, read 2026-11).
_DEFAULT_LIMITS = {"bfl": 24}
PROVIDER_LIMITS = {
    provider: limit
    for provider, prefix in PROVIDER_PREFIXES.items()
    if (limit := env.integer(f"{prefix}_MAX_CONCURRENCY", _DEFAULT_LIMITS.get(provider, 0)))
}
# What an adapter may be told beside address and key; empty values are left to the adapter.
PROVIDER_OPTIONS: dict[str, dict[str, str]] = {
    "azure_openai": {"api_version": env.text("AZURE_OPENAI_API_VERSION")},
    "gemini": {
        "vertex": "1" if GEMINI_VERTEX else "",
        "vertex_project": GEMINI_VERTEX_PROJECT,
        "vertex_location": GEMINI_VERTEX_LOCATION,
    },
}
SANDBOX_BASE_URL = env.text("SANDBOX_BASE_URL").rstrip("/")
LIENZO_SANDBOX = env.choice("LIENZO_SANDBOX", "auto" if EMBEDDED else "off", ("auto", "off"))
ALLOW_PRIVATE_UPSTREAMS = env.flag("ALLOW_PRIVATE_UPSTREAMS")
WEBHOOK_ALLOWED_TARGETS = env.targets("WEBHOOK_ALLOWED_TARGETS")
# The first encrypts the secrets of webhooks, all decrypt them, and so do SECRET_KEY
# and its fallbacks.
WEBHOOK_ENCRYPTION_KEYS = env.words("WEBHOOK_ENCRYPTION_KEYS")

# The first encrypts backups, all decrypt them.
BACKUP_ENCRYPTION_KEYS = env.words("BACKUP_ENCRYPTION_KEYS")

# Payments by card. A key of Stripe's test mode, or of the sandbox, moves no money.
STRIPE_BASE_URL = env.text("STRIPE_BASE_URL", "https://api.stripe.com").rstrip("/")
STRIPE_SECRET_KEY = env.text("STRIPE_SECRET_KEY")
# All of them verify, so that one can be replaced.
STRIPE_WEBHOOK_SECRET = env.words("STRIPE_WEBHOOK_SECRET")
# Where Stripe's page for payments is: a form of ours leads there.
STRIPE_CHECKOUT_URL = env.text("STRIPE_CHECKOUT_URL", "https://checkout.stripe.com")

# Limits of a request and of an image.
REQUEST_BODY_MAX_BYTES = env.integer("REQUEST_BODY_MAX_BYTES", 1_000_000, minimum=1)
DATA_UPLOAD_MAX_MEMORY_SIZE = REQUEST_BODY_MAX_BYTES
# A form with images to edit, all of them together.
UPLOAD_MAX_BYTES = env.integer("UPLOAD_MAX_BYTES", 200_000_000, minimum=1)
IMAGE_MAX_BYTES = env.integer("IMAGE_MAX_BYTES", 50_000_000, minimum=1)
IMAGE_MAX_PIXELS = env.integer("IMAGE_MAX_PIXELS", 40_000_000, minimum=1)

# Whose name stands on statements and invoices, and what invoices say of them beside it.
STATEMENT_ISSUER = env.text("STATEMENT_ISSUER", "Lienzo")
INVOICE_TAX_ID = env.text("INVOICE_TAX_ID")
INVOICE_ADDRESS = env.text("INVOICE_ADDRESS")

# Exchange rates: who publishes them, whose rates a pair follows, and what is added to them.
ECB_BASE_URL = env.text("ECB_BASE_URL", "https://www.ecb.europa.eu/stats/eurofxref").rstrip("/")
BANXICO_BASE_URL = env.text(
    "BANXICO_BASE_URL", "https://www.banxico.org.mx/SieAPIRest/service/v1"
).rstrip("/")
BANXICO_TOKEN = env.text("BANXICO_TOKEN")
FX_SOURCES = env.rate_sources("FX_SOURCES", "USD/MXN=banxico,ecb;*=ecb")
FX_SPREAD = env.fraction("FX_SPREAD", "0")
FX_MAX_AGE_DAYS = env.integer("FX_MAX_AGE_DAYS", 5, minimum=1)

# Worker: how many Celery tasks may wait at once, and how many of them may move image bytes.
WORKER_POOL_SIZE = env.integer("WORKER_POOL_SIZE", 6400, minimum=1)
TRANSFER_LIMIT = env.integer("TRANSFER_LIMIT", 16, minimum=1)

# Raise when a provider, S3 or a stream is reached while this greenlet holds a database connection.
FORBID_NETWORK_IN_TRANSACTION = env.flag("FORBID_NETWORK_IN_TRANSACTION")

# Mail. On one machine it is kept in files, to be looked at.
_email = parse_email_url(
    env.text("EMAIL_URL", f"file://{VAR_DIR}/outbox" if EMBEDDED else "smtp://localhost:25")
)
EMAIL_BACKEND = _email.backend
EMAIL_FILE_PATH = _email.folder
EMAIL_HOST = _email.host
EMAIL_PORT = _email.port
EMAIL_HOST_USER = _email.user
EMAIL_HOST_PASSWORD = _email.password
EMAIL_USE_TLS = _email.starttls
EMAIL_USE_SSL = _email.tls
EMAIL_TIMEOUT = 10
OPERATOR_EMAILS = env.words("OPERATOR_EMAILS")
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "Lienzo <no-reply@localhost>")

# The console. Sessions, and what limits tries to sign in, are rows: they survive every restart.
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "orgs_cache"}
}
IS_HTTPS = PUBLIC_BASE_URL.startswith("https://")
SESSION_COOKIE_NAME = "lienzo_session"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = IS_HTTPS
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_AGE = 365 * 86_400
CSRF_COOKIE_NAME = "lienzo_csrf"
CSRF_TRUSTED_ORIGINS = [PUBLIC_BASE_URL]
CSRF_FAILURE_VIEW = "orgs.console.errors.csrf_failed"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "root"
OIDC_ISSUER_URL = env.text("OIDC_ISSUER_URL")
CONTENT_SECURITY_POLICY = content_security_policy(
    image_sources=[S3_PUBLIC_BASE_URL, S3_SIGNED_ENDPOINT_URL or S3_ENDPOINT_URL],
    form_targets=[OIDC_ISSUER_URL, STRIPE_CHECKOUT_URL],
)

# Accounts (django-allauth).
ACCOUNT_ADAPTER = "config.accounts.AccountAdapter"
ACCOUNT_FORMS = {"signup": "orgs.console.accounts.SignupForm"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if IS_HTTPS else "http"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL
ACCOUNT_CHANGE_EMAIL = True
# A link in a mail that could not be sent at first has to work once it arrives.
PASSWORD_RESET_TIMEOUT = 86_400
MFA_ADAPTER = "orgs.console.accounts.SecondFactorAdapter"
MFA_FORMS = {
    "add_webauthn": "orgs.console.accounts.PasskeyForm",
    "edit_webauthn": "orgs.console.accounts.PasskeyNameForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Lienzo"
# In periods of 30 s, either way: phones are not always in time, and people not quick.
MFA_TOTP_TOLERANCE = 1
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not IS_HTTPS
USERSESSIONS_TRACK_ACTIVITY = False
SOCIALACCOUNT_ADAPTER = "orgs.console.single_sign_on.SingleSignOnAdapter"
SOCIALACCOUNT_ONLY = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_PROVIDERS = openid_connect(
    issuer_url=OIDC_ISSUER_URL,
    client_id=env.text("OIDC_CLIENT_ID"),
    client_secret=env.text("OIDC_CLIENT_SECRET"),
    name=env.text("OIDC_NAME", "Single sign-on"),
)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["gateway.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["gateway.api.rendering.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": [],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "gateway.api.rendering.IgnoreAccept",
    "EXCEPTION_HANDLER": "gateway.api.errors.handle_exception",
    # OPTIONS is answered 405 like any other method a path does not take.
    "DEFAULT_METADATA_CLASS": None,
    "UNAUTHENTICATED_USER": None,
}

# Metrics and probes of this process; port 0 is none.
METRICS_HOST = env.text("METRICS_HOST", "127.0.0.1")
METRICS_PORT = env.integer("METRICS_PORT", 0, maximum=65535)

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", LEVELS)
LOG_FORMAT = env.choice("LOG_FORMAT", "line", FORMATS)
LOGGING = logging_settings(log_format=LOG_FORMAT, level=LOG_LEVEL)
# Traces go to a collector, where one is named; the library reads other `OTEL_*` variables itself.
OTEL_EXPORTER_OTLP_ENDPOINT = env.text("OTEL_EXPORTER_OTLP_ENDPOINT").rstrip("/")
OTEL_PROPAGATORS = env.words("OTEL_PROPAGATORS")
TRUST_TRACEPARENT = env.flag("TRUST_TRACEPARENT")
SENTRY_DSN = env.text("SENTRY_DSN")
SENTRY_ENVIRONMENT = env.text("SENTRY_ENVIRONMENT", "production")
if OTEL_EXPORTER_OTLP_ENDPOINT:
    API_MIDDLEWARE = [*API_MIDDLEWARE, "gateway.api.tracing.TraceMiddleware"]
# Outermost, to see every answer of the API as it is sent.
if env.flag("LOG_REQUESTS", default=LOG_FORMAT == "json"):
    API_MIDDLEWARE = ["gateway.api.access.AccessLogMiddleware", *API_MIDDLEWARE]


def check_secrets() -> None:
    """Refuse to serve with a default secret; called by the web and worker entry points."""
    for name, value in (("SECRET_KEY", SECRET_KEY), ("API_KEY_HMAC_SECRET", API_KEY_HMAC_SECRET)):
        if value == INSECURE_SECRET:
            raise ImproperlyConfigured(
                f"{name} is not set. Set it to a long random value, e.g. the output of "
                "`python -c 'import secrets; print(secrets.token_urlsafe(48))'`."
            )
