"""Published prices are shown as a difference first, and taken over only when that is asked for."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot
from genai_prices.types import ClauseEquals, ModelInfo, ModelPrice, PriceVariant, Tier, TieredPrices
from genai_prices.types import Provider as ListedProvider

from admin_api.actor import SYSTEM
from gateway.declaration import reading
from gateway.declaration.apply import apply
from gateway.models import AuditEntry, Model, Price

CATALOG = """
providers:
  p: {preset: anthropic, api_key: sk-p}
  q: {dialect: anthropic, base_url: "https://api.anthropic.com"}
  r: {dialect: openai, base_url: "http://10.0.0.1/v1"}
models:
  known: {price: {input: 3, output: 9, cache_read: 1}, routes: [{provider: p, model: up}]}
  unpriced: {routes: [{provider: r, model: up, priority: 2, weight: 1}, {provider: q, model: long}]}
  ours: {routes: [{provider: r, model: mine}]}
"""


def mtok(input: str, output: str, **more: Decimal | TieredPrices) -> ModelPrice:
    return ModelPrice(input_mtok=Decimal(input), output_mtok=Decimal(output), **more)


def tiered(base: str, above: str) -> TieredPrices:
    return TieredPrices(base=Decimal(base), tiers=[Tier(start=200_000, price=Decimal(above))])


UP = ModelInfo(
    id="up",
    match=ClauseEquals("up"),
    prices=mtok(
        "3",
        "15",
        cache_read_mtok=Decimal("0.3"),
        cache_write_mtok=Decimal("3.75"),
        web_searches_kcount=Decimal(10),
    ),
    price_variants=[PriceVariant(when={"processing": "batch"}, prices=mtok("0.75", "3.75"))],
)
LONG = ModelInfo(
    id="long",
    match=ClauseEquals("long"),
    prices=ModelPrice(
        input_mtok=tiered("1", "2"), output_mtok=tiered("5", "7.5"), cache_write_1h_mtok=Decimal(2)
    ),
)


@pytest.fixture(autouse=True)
def listed(db: None) -> Iterator[None]:
    anthropic = ListedProvider(
        id="anthropic", name="Anthropic", api_pattern=r"https://api\.anthropic\.com", models=[UP, LONG]
    )
    set_custom_snapshot(DataSnapshot(providers=[anthropic], from_auto_update=False))
    apply(reading.read(CATALOG, {}), actor=SYSTEM)
    yield
    set_custom_snapshot(None)


def run(*arguments: str) -> tuple[int, list[str]]:
    """Exit code and lines."""
    out = io.StringIO()
    try:
        call_command("import_prices", *arguments, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def rows() -> list[object]:
    return [*Price.objects.order_by("id").values(), *AuditEntry.objects.order_by("id").values()]


def test_differences_are_shown_and_nothing_is_changed() -> None:
    before = rows()

    code, lines = run()

    assert code == 2
    assert rows() == before
    assert lines[0].split() == ["MODEL", "PRICE", "NOW", "PUBLISHED"]
    assert [line.split() for line in lines[1:-2]] == [
        ["known", "output", "9", "15"],
        ["known", "cache_read", "1", "0.3"],
        ["known", "cache_write_5m", "3", "3.75"],
        ["known", "cache_write_1h", "3", "3.75"],
        ["known", "batch_factor", "0.5", "0.25"],
        ["known", "web_search", "0", "10"],
        ["unpriced", "input", "none", "1"],
        ["unpriced", "output", "none", "5"],
        ["unpriced", "cache_read", "none", "1"],
        ["unpriced", "cache_write_5m", "none", "1"],
        ["unpriced", "cache_write_1h", "none", "2"],
        ["unpriced", "batch_factor", "none", "0.5"],
        ["unpriced", "web_search", "none", "0"],
        ["unpriced", "long_context_threshold", "none", "200000"],
        ["unpriced", "long_context_input", "none", "2"],
        ["unpriced", "long_context_output", "none", "7.5"],
        ["unpriced", "long_context_cache_read", "none", "2"],
        ["unpriced", "long_context_cache_write_5m", "none", "2"],
        ["unpriced", "long_context_cache_write_1h", "none", "2"],
    ]
    assert lines[-2].endswith(": ours (r/mine: the list does not know it)")
    assert lines[-1] == "note: unpriced by q/long; r/up: the list does not know it"


def test_applied_prices_are_further_versions_with_their_audit_lines_and_then_the_same() -> None:
    code, lines = run("--apply")

    assert (code, lines[-1]) == (0, "2 prices changed; they cost this from now on")
    price = Model.objects.get(name="known").price
    assert price is not None
    assert (price.output, price.web_search, price.batch_factor) == (15, 10, Decimal("0.25"))
    assert Price.objects.filter(model_name="known").count() == 2
    audited = AuditEntry.objects.filter(action="model.changed").order_by("id")
    assert [line.target_id for line in audited] == ["known", "unpriced"]
    assert audited[0].details["price.web_search"] == ["0", "10"]
    before = rows()
    code, lines = run("--apply")
    assert (code, rows()) == (0, before)
    assert lines[0].startswith("nothing to change by genai-prices ")
    assert run()[0] == 0


def test_one_model_alone_can_be_taken_over() -> None:
    assert run("--apply", "--model", "known")[0] == 0

    assert Model.objects.get(name="unpriced").price is None
    code, lines = run()
    assert code == 2
    assert not any(line.startswith("known") for line in lines)


def test_a_model_that_is_not_there_is_an_error() -> None:
    with pytest.raises(CommandError, match="There is no configured model nobody"):
        run("--model", "nobody")


def test_the_fragment_is_what_apply_would_have_made(tmp_path: Path) -> None:
    code, lines = run("--yaml")
    assert code == 2
    document = "\n".join(lines)
    assert "input: 3, output: 15, cache_read: 0.3" in document
    fragment = reading.read(
        textwrap.dedent(document).replace("price:", "routes: [{provider: p}]\n    price:"), {}
    )

    told = {name: entry.price for name, entry in fragment.models.items()}

    run("--apply")
    assert set(told) == {"known", "unpriced"}
    for name, price in told.items():
        stored = Price.objects.filter(model_name=name).latest("id")
        assert {column: getattr(stored, column) for column in price.columns()} == price.columns()
