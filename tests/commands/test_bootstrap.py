from __future__ import annotations

import io
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from pydantic import SecretStr

from gateway import credentials, first_run
from gateway.models import ApiKey, AuditEntry, Membership, Model, ModelAlias, Organization, Provider, User
from tests.people import Cast


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "data"
    configure(monkeypatch, data_dir=folder)
    yield folder


def configure(monkeypatch: pytest.MonkeyPatch, **values: object) -> None:
    """Settings of one test. `base_url` is derived once, so a copy is made to derive it anew."""
    monkeypatch.setattr(settings, "CONFIGURATION", settings.CONFIGURATION.model_copy(update=values))
    settings.CONFIGURATION.__dict__.pop("base_url", None)


def bootstrap() -> list[str]:
    out = io.StringIO()
    call_command("bootstrap", stdout=out)
    return out.getvalue().splitlines()


def quickstart(folder: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (folder / "quickstart.env").read_text().splitlines())


def test_a_first_run_makes_everything_a_newcomer_needs(db: None, data_dir: Path) -> None:
    lines = bootstrap()

    values = quickstart(data_dir)
    assert list(values) == [
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_API_KEY",
        "GATEWAY_ADMIN_KEY",
        "GATEWAY_DASHBOARD_URL",
        "GATEWAY_ADMIN_EMAIL",
        "GATEWAY_ADMIN_PASSWORD",
    ]
    assert values["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:8000"
    assert values["GATEWAY_DASHBOARD_URL"] == "http://127.0.0.1:8000/"
    organization = Organization.objects.get()
    assert (organization.name, organization.tier.name) == ("Default", "pro")
    assert organization.workspaces.get().is_default
    admin = User.objects.get(email=values["GATEWAY_ADMIN_EMAIL"])
    assert admin.is_operator
    assert admin.check_password(values["GATEWAY_ADMIN_PASSWORD"])
    assert Membership.objects.get().role == "admin"
    for name, kind in (("ANTHROPIC_API_KEY", "api"), ("GATEWAY_ADMIN_KEY", "admin")):
        digest = credentials.digest(values[name], settings.CONFIGURATION.peppers[0])
        assert ApiKey.objects.get(digest=digest).kind == kind
    assert lines == [f"First run: the keys and the password are in {data_dir}/quickstart.env"]


def test_only_the_owner_can_read_the_file_and_nothing_lies_beside_it(db: None, data_dir: Path) -> None:
    bootstrap()

    assert stat.S_IMODE((data_dir / "quickstart.env").stat().st_mode) == 0o600
    assert [file.name for file in data_dir.iterdir()] == ["quickstart.env"]


def test_no_secret_is_printed_or_audited(db: None, data_dir: Path) -> None:
    lines = bootstrap()

    values = quickstart(data_dir)
    said = "\n".join(lines) + str(list(AuditEntry.objects.values()))
    for name in ("ANTHROPIC_API_KEY", "GATEWAY_ADMIN_KEY", "GATEWAY_ADMIN_PASSWORD"):
        assert values[name] not in said


def test_every_installation_has_secrets_of_its_own(db: None, data_dir: Path) -> None:
    bootstrap()
    first = quickstart(data_dir)
    Organization.objects.all().delete()
    User.objects.all().delete()
    bootstrap()

    second = quickstart(data_dir)
    assert {name for name in first if first[name] == second[name]} == {
        "ANTHROPIC_BASE_URL",
        "GATEWAY_DASHBOARD_URL",
        "GATEWAY_ADMIN_EMAIL",
    }


def test_a_second_start_changes_nothing(db: None, data_dir: Path) -> None:
    bootstrap()
    before = (data_dir / "quickstart.env").read_text()
    audited = AuditEntry.objects.count()

    assert bootstrap() == []
    assert (data_dir / "quickstart.env").read_text() == before
    assert (Organization.objects.count(), User.objects.count(), ApiKey.objects.count()) == (1, 1, 2)
    assert AuditEntry.objects.count() == audited


def test_another_port_changes_the_addresses_only(
    db: None, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap()
    with (data_dir / "quickstart.env").open("a") as file:
        file.write("# my own note\nMINE=1\n")
    before = (data_dir / "quickstart.env").read_text()
    configure(monkeypatch, port=9100)

    assert bootstrap() == []

    assert (data_dir / "quickstart.env").read_text() == before.replace(":8000", ":9100")
    assert stat.S_IMODE((data_dir / "quickstart.env").stat().st_mode) == 0o600


def test_no_password_is_shown_that_does_not_work_any_more(db: None, data_dir: Path) -> None:
    bootstrap()
    before = quickstart(data_dir)
    admin = User.objects.get()
    admin.set_password("another password of my own")
    admin.save()

    bootstrap()

    assert quickstart(data_dir) == {**before, "GATEWAY_ADMIN_PASSWORD": first_run.PASSWORD_CHANGED}


def test_a_lost_file_is_not_made_again_but_the_way_on_is_told(db: None, data_dir: Path) -> None:
    bootstrap()
    (data_dir / "quickstart.env").unlink()

    assert bootstrap() == [
        f"{data_dir}/quickstart.env is gone; its secrets are stored nowhere else. For new ones:",
        "  manage.py reset_password admin@gateway.local",
        '  manage.py create_api_key --organization "Default" --name NAME [--admin]',
    ]
    assert ApiKey.objects.count() == 2
    assert not (data_dir / "quickstart.env").exists()


def test_a_file_that_cannot_be_written_leaves_no_installation_that_nobody_can_enter(
    db: None, data_dir: Path
) -> None:
    data_dir.write_text("a file where the folder should be")

    with pytest.raises(FileExistsError):
        bootstrap()

    assert not Organization.objects.exists()
    assert not User.objects.exists()


def test_starts_at_the_same_moment_make_one_installation(committed_people: Cast, data_dir: Path) -> None:
    Organization.objects.all().delete()
    User.objects.all().delete()

    def start(_: int) -> bool:
        try:
            return first_run.prepare().made
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(start, range(4)))

    assert sorted(made) == [False, False, False, True]
    key = quickstart(data_dir)["ANTHROPIC_API_KEY"]
    assert ApiKey.objects.filter(digest=credentials.digest(key, settings.CONFIGURATION.peppers[0])).exists()
    assert (Organization.objects.count(), User.objects.count()) == (1, 1)


def test_provider_keys_in_the_environment_bring_their_catalogs(
    db: None, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(
        monkeypatch,
        upstream_anthropic_api_key=SecretStr("sk-ant-upstream-of-this-test"),
        upstream_openai_api_key=SecretStr("sk-openai-upstream-of-this-test"),
    )

    lines = bootstrap()

    providers = Provider.objects.filter(origin="configured").order_by("name")
    assert [(one.name, one.dialect, one.base_url, one.keys.get().api_key_hint) for one in providers] == [
        ("anthropic", "anthropic", "https://api.anthropic.com", "test"),
        ("openai", "openai", "https://api.openai.com/v1", "test"),
    ]
    configured = set(Model.objects.filter(origin="configured").values_list("name", flat=True))
    assert {
        "claude-opus-4-5",
        "claude-sonnet-4-5",
        "claude-haiku-4-5",
        "claude-opus-5-5",
        "gpt-6-sol",
    } <= configured
    assert ModelAlias.objects.get(alias="claude-haiku-4-5-20251001").model.name == "claude-haiku-4-5"
    assert Model.objects.filter(origin="simulator").count() == 9
    assert "+ model claude-opus-5-5" in lines
    assert "upstream-of-this-test" not in "\n".join(lines)


def test_one_provider_key_brings_one_catalog(
    db: None, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, upstream_openai_api_key=SecretStr("sk-openai"))

    bootstrap()

    assert [one.name for one in Provider.objects.filter(origin="configured")] == ["openai"]
