"""Django's settings, derived from `configuration.py`. Nothing here reads the environment itself."""

from __future__ import annotations

import sys
from urllib.parse import parse_qs, unquote, urlsplit

from csp.constants import NONE, SELF

from gateway import configuration, logs

try:
    CONFIGURATION = configuration.load()
except configuration.ConfigurationError as problem:
    sys.exit(str(problem))

BASE_DIR = configuration.PROJECT_DIR
DEBUG = CONFIGURATION.debug
SECRET_KEY, *SECRET_KEY_FALLBACKS = CONFIGURATION.secret_keys
ALLOWED_HOSTS = list(CONFIGURATION.hosts)
CSRF_TRUSTED_ORIGINS = [CONFIGURATION.base_url]
APPEND_SLASH = False  # a redirect would turn an SDK's POST into a GET
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "gateway.urls"
ASGI_APPLICATION = "gateway.asgi.application"
AUTH_USER_MODEL = "gateway.User"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_cotton.apps.SimpleAppConfig",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "gateway",
    "dashboard",
]

MIDDLEWARE = [
    "gateway.request_ids.request_ids",
    "django.middleware.security.SecurityMiddleware",
    "dashboard.frame.compression.CompressionMiddleware",
    "dashboard.frame.static_files.StaticFilesMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dashboard.sign_in.sessions.SeenMiddleware",
    "dashboard.sign_in.known_devices.KnownDeviceMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "dashboard.frame.refusals.RefusalMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "dashboard" / "templates"],  # and no library's own pages
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["django_cotton.cotton_loader.Loader", "django.template.loaders.filesystem.Loader"],
                )
            ],
            "builtins": ["django_cotton.templatetags.cotton", "dashboard.templatetags.figures"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.frame.context_processors.frame",
            ],
        },
    }
]


def _database(url: str) -> dict[str, object]:
    """Django's database settings from a libpq URL; a `host` in the query names a socket folder."""
    parts = urlsplit(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    host = query.pop("host", None) or unquote(parts.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "postgres",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or query.pop("port", "")),
        "CONN_HEALTH_CHECKS": True,  # else each pooled connection fails once after a restart of PostgreSQL
        "CONN_MAX_AGE": 0,  # > 0 leaks connections under ASGI; the pool keeps them instead
        "OPTIONS": {
            **query,
            "pool": {"min_size": 0, "max_size": 8, "timeout": 5},
            "options": "-c statement_timeout=30s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s"
            # A large report sorts some 10 MB, and compiling its statement would take longer than the statement.
            " -c work_mem=16MB -c jit=off",
        },
    }


DATABASES = {"default": _database(CONFIGURATION.database_url)}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CONFIGURATION.broker,
        "KEY_PREFIX": "gw:cache",
    }
}
CELERY_BROKER_URL = CONFIGURATION.broker.replace("unix://", "redis+socket://", 1)
SESSION_ENGINE = "gateway.models.sessions"

# Passwords and sessions.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
_secure = CONFIGURATION.https
SESSION_COOKIE_NAME = "__Host-session" if _secure else "session"
SESSION_COOKIE_SECURE = _secure
SESSION_SAVE_EVERY_REQUEST = False  # how long sessions last: `gateway/models/sessions.py`
CSRF_COOKIE_NAME = "__Host-csrf" if _secure else "csrf"
CSRF_COOKIE_SECURE = _secure
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "dashboard.frame.error_views.csrf_failure"
SECURE_HSTS_SECONDS = 31_536_000 if _secure else 0
SECURE_REFERRER_POLICY = (
    "same-origin"  # with `no-referrer` browsers send `Origin: null`, and no form would pass
)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if CONFIGURATION.trusted_proxies else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

# Mail.
globals().update(CONFIGURATION.email_settings)
DEFAULT_FROM_EMAIL = CONFIGURATION.mail_sender

# Sign-in (django-allauth). Public sign-up is closed by the adapter.
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_ADAPTER = "dashboard.sign_in.adapter.ClosedSignUp"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = {"login_failed": "10/15m/key,10/15m/ip"}
ACCOUNT_REAUTHENTICATION_TIMEOUT = 15 * 60  # how old a sign-in may be where harm can be done
ACCOUNT_SESSION_REMEMBER = True  # as long as any session, without asking
SOCIALACCOUNT_ADAPTER = "dashboard.single_sign_on.adapter.SingleSignOn"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
MFA_ADAPTER = "dashboard.sign_in.second_factor.SecondFactors"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_TOLERANCE = 1  # periods of 30 seconds before and after, for clocks that are not exact
MFA_RECOVERY_CODE_DIGITS = 10

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "dashboard" / "static"]
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]  # and no library's own files
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "dashboard.frame.static_files.HashedStaticFiles"},
}
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_AUTOREFRESH = (
    False  # with GATEWAY_DEBUG too: it would look for files under their plain names only
)
SERVESTATIC_ALLOW_ALL_ORIGINS = False

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["admin_api.content.ObjectParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "admin_api.content.AnyAccept",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "admin_api.authentication.AdminKeyAuthentication",
        "admin_api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["admin_api.caller.IsCaller"],
    "DEFAULT_VERSIONING_CLASS": "admin_api.versions.AnthropicVersion",
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS tells nothing
    "DEFAULT_SCHEMA_CLASS": "admin_api.openapi.operation_schema.OperationSchema",
    "EXCEPTION_HANDLER": "admin_api.envelope.exception_handler",
}

SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Gateway",
    "SCHEMA_PATH_PREFIX": "",
    "SORT_OPERATION_PARAMETERS": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [  # and not the usual one, which would make a component of every enum
        "drf_spectacular.hooks.postprocess_schema_enum_id_removal",
        "admin_api.openapi.document.add_data_plane",
        "admin_api.openapi.document.in_order",
    ],
}

LOGGING_CONFIG = None  # Django's own is left out: every process that reads these settings logs alike
logs.configure(level=CONFIGURATION.log_level, secrets=CONFIGURATION.secret_values)
