"""What every test stands on: an environment of its own and, where a test asks, real stores and a real stack.

The addresses of the stores are fixed before Django reads its settings; the servers behind them start with
the first test that needs them. Tests of pure code start nothing.
"""

from __future__ import annotations

import datetime
import gc
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import redis
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.test.utils import setup_databases, teardown_databases
from pytest_django.plugin import DjangoDbBlocker
from schemathesis.pytest.plugin import SchemathesisFunction
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from gateway.supervisor.postgres import Postgres, wheel_binaries
from gateway.supervisor.system_user import postgres_user
from gateway.supervisor.valkey import Valkey, wheel_binary
from tests import migrated
from tests.schedule import FolderByFolder
from tests.stack import Stack
from tests.stores import running

SCRATCH = Path(tempfile.mkdtemp(prefix="gw-test-", dir="/tmp"))
SCRATCH.chmod(0o711)  # PostgreSQL of a root's test run works as another user
USER = postgres_user(SCRATCH / "postgres")
POSTGRES = Postgres(
    data=SCRATCH / "postgres",
    sockets=SCRATCH / "pg",
    binaries=wheel_binaries(),
    user=USER,
    settings={
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "shared_buffers": "64MB",
    },
)
VALKEY = Valkey(
    data=SCRATCH / "valkey", sockets=SCRATCH, binary=wheel_binary(), settings={"appendonly": "no"}
)
LONG = "outages"  # a folder of tests
OURS = ("GATEWAY_", "UPSTREAM_", "ANTHROPIC_", "OPENAI_", "DJANGO_")


def pytest_configure(config: pytest.Config) -> None:
    if _only_distributes(config):
        return
    for name in [name for name in os.environ if name.startswith(OURS) or name in ("HOST", "PORT")]:
        del os.environ[name]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "gateway.settings",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "GATEWAY_KEY_PEPPER": secrets.token_urlsafe(48),
        "GATEWAY_DATA_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "DATABASE_URL": POSTGRES.url,
        "REDIS_URL": VALKEY.url,
        "GATEWAY_SIMULATOR": "true",
        "GATEWAY_SIMULATOR_DELAY_MS": "0",
        "DATA_DIR": str(SCRATCH / "data"),
        "SSL_CERT_FILE": str(_one_authority()),
    }
    (SCRATCH / "data").mkdir(mode=0o700, exist_ok=True)
    assert settings.DATABASES  # read now, so that pytest-django, whose turn is next, sets Django up
    _keep_what_is_compiled()
    gc.disable()  # until all tests are collected
    _hash_passwords_at_once()
    _give_examples_time()
    # An ended test run ends its servers too: fixtures are finished on SystemExit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))


def _keep_what_is_compiled() -> None:
    """Hundreds of servers and commands start from the same files, and need half a second more where none keeps any."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def _one_authority() -> Path:
    """The one whom the clients of tests trust, and nobody has been certified by it.

    Each client reads all authorities when it is made, and the 140 of this world take 40 ms: longer than most tests.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Nobody")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = SCRATCH / "authorities.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return file


def _hash_passwords_at_once() -> None:
    """Argon2 takes a quarter of a second on purpose: in the servers that tests start, but not in this process."""
    Argon2PasswordHasher.time_cost = 1
    Argon2PasswordHasher.memory_cost = 8  # KiB
    Argon2PasswordHasher.parallelism = 1


def _give_examples_time() -> None:
    """A busy machine is no fault of what is tested."""
    hypothesis.settings.register_profile(
        "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("patient")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return FolderByFolder(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Schemathesis makes an item for each operation and names them all alike: xdist would run one of them."""
    if isinstance(item, SchemathesisFunction) and item.id.params is None:
        item._id = item.id.with_params(item.operation_label)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A whole folder is long; endurance runs take many minutes and stay out of `make test-long` too."""
    twice = [id for id, number in Counter(item.nodeid for item in items).items() if number > 1]
    if twice:
        raise pytest.UsageError(f"of several tests of one name only one would run: {twice[:5]}")
    for item in items:
        if LONG in item.path.parts:
            item.add_marker("long")
    if os.environ.get("CHAOS_TESTS"):
        return
    skipped = pytest.mark.skip(reason="run by `make chaos` or `make soak`")
    for item in items:
        if item.get_closest_marker("chaos"):
            item.add_marker(skipped)


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the collector need not look at it again, nor while it comes to be."""
    gc.freeze()
    gc.enable()


def _only_distributes(config: pytest.Config) -> bool:
    """Whether this process runs no test itself: its workers would inherit what it sets, and Django reads it first."""
    return bool(getattr(config.option, "numprocesses", None)) and not hasattr(config, "workerinput")


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(SCRATCH, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(django_db_blocker: DjangoDbBlocker) -> Iterator[Postgres]:
    """A running PostgreSQL of this test run, with `tests.migrated` in it; tests that use the database get it
    through pytest-django."""
    POSTGRES.sockets.mkdir(mode=0o700)
    if USER is not None:
        shutil.chown(POSTGRES.sockets, USER.uid, USER.gid)
    POSTGRES.initialize()
    program = POSTGRES.program(stack=SCRATCH, log=SCRATCH / "postgres.log", environment=os.environ)
    with running(program), django_db_blocker.unblock():
        migrated.migrate(POSTGRES)
    migrated.keep(POSTGRES)
    with running(program):
        yield POSTGRES


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    with running(VALKEY.program(stack=SCRATCH, log=SCRATCH / "valkey.log", environment=os.environ)):
        yield VALKEY


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres_server: Postgres, valkey_server: Valkey) -> None:
    """pytest-django asks for this before it makes the test database: both stores run from then on."""


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """The test database. pytest-django's own would leave it out where all tests of a run commit by themselves."""
    settings.DATABASES["default"]["TEST"]["TEMPLATE"] = migrated.TEMPLATE
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases=["default"])
    yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)


@pytest.fixture
def valkey(valkey_server: Valkey) -> Iterator[redis.Redis]:
    """An empty database of Valkey, as a client; the others belong to gateways that live beside these tests."""
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushdb()
        yield client


@pytest.fixture(scope="session")
def scratch_folders() -> Callable[[str], Path]:
    """Makes new folders that PostgreSQL's user can reach; pytest's own are closed to it."""

    def make(name: str) -> Path:
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=SCRATCH))
        folder.chmod(0o711)
        return folder

    return make


@pytest.fixture
def scratch(scratch_folders: Callable[[str], Path]) -> Path:
    """A new folder of this test."""
    return scratch_folders("test")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A whole gateway, run by `manage.py up` and shared by all tests that ask: leave it as you found it."""
    running_stack = Stack(SCRATCH / "stack")
    running_stack.start()
    yield running_stack
    running_stack.stop()
