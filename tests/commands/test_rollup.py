"""`manage.py rollup` as operators type it."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from tests.metering.conftest import ledger
from tests.metering.ledger import ACME, Ledger, committed, usage_event
from tests.metering.test_partitions import TODAY

__all__ = ["ledger"]


def rollup(*words: str) -> str:
    said = io.StringIO()
    call_command("rollup", *words, stdout=said)
    return said.getvalue()


def test_right_sums_are_told_to_be_right(ledger: Ledger) -> None:
    ledger.record(usage_event())

    assert rollup("--check", f"--from={TODAY}", f"--to={TODAY}") == (
        "1 day compared: every sum is that of the ledger.\n"
    )


def test_days_without_a_ledger_are_not_told_to_be_right(ledger: Ledger) -> None:
    assert rollup("--from=2020-01-01", "--to=2020-01-31") == (
        "The ledger has no events of these days: nothing was compared.\n"
    )


def test_a_difference_is_printed_and_makes_it_fail_until_it_is_rebuilt(ledger: Ledger) -> None:
    ledger.record(usage_event())
    ledger.connection.execute("UPDATE usage_hour SET requests = 3")
    said = io.StringIO()

    with pytest.raises(CommandError, match="1 sum differs from the ledger") as refused:
        call_command("rollup", f"--from={TODAY}", stdout=said)

    assert refused.value.returncode == 1
    (line,) = said.getvalue().splitlines()
    assert line.startswith(f"usage_hour {TODAY}T")
    assert f"organization_id={ACME}" in line
    assert line.endswith(": requests -2")
    rebuilt = committed(lambda: rollup("--rebuild", f"--from={TODAY}")).splitlines()
    assert rebuilt[0] == f"{TODAY}: corrected 1 of usage_hour"
    assert "every sum" in rollup()
    assert ledger.drift() == []


def test_of_many_differences_the_first_are_shown_and_all_are_counted(ledger: Ledger) -> None:
    ledger.record(*(usage_event(api_key_id=f"k{n}") for n in range(30)))
    ledger.connection.execute("UPDATE usage_day SET requests = 3")
    said = io.StringIO()

    with pytest.raises(CommandError, match="30 sums differ"):
        call_command("rollup", "--check", stdout=said)

    *shown, last = said.getvalue().splitlines()
    assert (len(shown), last) == (20, f"{TODAY}: and 10 more")


@pytest.mark.parametrize("words", [["--from=yesterday"], ["--organization=acme"], ["--check", "--rebuild"]])
def test_a_wrong_word_is_one_clear_line(words: list[str]) -> None:
    with pytest.raises(
        CommandError, match=r"argument --(from: invalid date|organization: invalid|rebuild: not)"
    ):
        call_command("rollup", *words)
