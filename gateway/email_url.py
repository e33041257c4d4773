"""`EMAIL_URL`: how mail leaves the gateway, as Django's settings.

smtp://USER:PASSWORD@HOST:25          as it is, for a relay on the same machine
smtp+tls://USER:PASSWORD@HOST:587     with STARTTLS
smtp+ssl://USER:PASSWORD@HOST:465     TLS from the start
filemail:///FOLDER                    each mail a file, for tries
consolemail://                        onto the standard output
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

_BACKENDS = "django.core.mail.backends."
_SMTP_PORTS = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}
TIMEOUT_SECONDS = 10


def settings_of(url: str) -> dict[str, object]:
    """The names and values of Django's `EMAIL_...` settings. Raises `ValueError` for what is none of the above."""
    parts = urlsplit(url)
    if parts.scheme == "consolemail":
        return {"EMAIL_BACKEND": _BACKENDS + "console.EmailBackend"}
    if parts.scheme == "filemail" and parts.path.startswith("/"):
        return {"EMAIL_BACKEND": _BACKENDS + "filebased.EmailBackend", "EMAIL_FILE_PATH": unquote(parts.path)}
    if parts.scheme in _SMTP_PORTS and parts.hostname:
        return {
            "EMAIL_BACKEND": _BACKENDS + "smtp.EmailBackend",
            "EMAIL_HOST": parts.hostname,
            "EMAIL_PORT": parts.port or _SMTP_PORTS[parts.scheme],
            "EMAIL_HOST_USER": unquote(parts.username or ""),
            "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
            "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
            "EMAIL_USE_SSL": parts.scheme == "smtp+ssl",
            "EMAIL_TIMEOUT": TIMEOUT_SECONDS,
        }
    raise ValueError("expected an address such as smtp+tls://USER:PASSWORD@mail.example.com:587")


def password_of(url: str) -> str:
    """The secret part, as it is and not as it is quoted; may be empty."""
    return unquote(urlsplit(url).password or "")
