"""Models: what members see of them, and how operators set them up, price them and take them away."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from admin_api.actions import models, organizations, providers
from admin_api.actor import SYSTEM
from admin_api.catalog import Rates, RouteTo
from gateway.models import Model, Price
from tests.dashboard.operated import RATES, ROUTE_FORM, last_action, model, page, provider, route
from tests.dashboard.test_audit_log import text_of
from tests.dashboard.test_pages import as_, freshly
from tests.people import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]  # circuits are read from Valkey


def test_members_read_models_and_which_they_may_use(client: Client, people: Cast) -> None:
    provider()
    model("claude-mine")
    model("claude-not-mine")
    organizations.set_models(actor=SYSTEM, organization=people.acme, denied=["claude-not-*"])

    for who in (people.ada, people.dev):
        html = as_(client, who).get("/models?q=mine").content.decode()
        rows = [text_of(f"<main>{row}") for row in re.findall(r"<tr>.*?</tr>", html, re.DOTALL)[1:]]
        assert ["May use" in row for row in rows] == [True, False]
        assert "claude-mine also claude-mine-alias" in rows[0] and "$3 $15" in rows[0]
        assert "http://10.0.0.1" not in html and "Served by" not in html and "Add model" not in html


def test_a_member_reads_of_a_model_nothing_of_the_ways_to_it(client: Client, people: Cast) -> None:
    provider()
    model()
    as_(client, people.dev)

    html = client.get("/models/of/m").content.decode()

    assert "Cache read $0.30" in text_of(html)
    assert not re.search(r"there|Umbrella|/models/edit|/models/price|Routes", html.partition("<main")[2])


def test_a_number_of_models_costs_no_more_queries(client: Client, people: Cast) -> None:
    provider()
    as_(client, people.ada).get("/models")
    numbers = []
    for names in (["a"], ["b", "c", "d", "e"]):
        for name in names:
            model(name)
        with CaptureQueriesContext(connection) as queries:
            client.get("/models")
        numbers.append(len(queries))

    assert numbers[0] == numbers[1]


def test_a_model_is_made_with_routes_and_then_priced(client: Client, people: Cast) -> None:
    provider()
    provider("q")
    as_(client, people.olga)
    form = {"name": "team/claude", "aliases": "one\ntwo", "max_input_tokens": "200000", **ROUTE_FORM}

    answer = client.post("/models/new", form | route(0, "p") | route(1, "q", "there", priority=2, weight=30))
    assert answer["location"] == "/models/price/team/claude"
    priced = client.post(
        "/models/price/team/claude", {"input": "3", "output": "15.0000000001", "batch_factor": "0.5"}
    )

    made = Model.objects.get(name="team/claude")
    assert priced["location"] == "/models/of/team/claude"
    ways = made.routes.values_list("provider__name", "upstream_model", "priority", "weight")
    assert sorted(ways) == [("p", "team/claude", 1, 100), ("q", "there", 2, 30)]
    assert sorted(made.aliases.values_list("alias", flat=True)) == ["one", "two"]
    price = made.prices.get()
    assert (price.input, price.output, price.cache_read) == (3, Decimal("15.0000000001"), 3)
    assert "$15.0000000001" in page(client, "/models/of/team/claude")


WRONG_MODELS = {
    "no route": (route(0, "") | route(1, ""), "Name at least one provider that serves it."),
    "a name that is taken": ({"name": "m"}, "There is a model of this name already."),
    "another's alias": ({"name": "m-alias"}, "is taken by model"),
    "an alias that is taken": ({"aliases": "m"}, "is taken by model"),
    "a provider that is none": (route(0, "nowhere"), "Select a valid choice"),
    "a route twice": (route(0, "p") | route(1, "p"), "has this provider and model already"),
    "a weight of nothing": (route(0, "p", weight=0), "greater than or equal to 1"),
    "no tokens": ({"max_input_tokens": "0"}, "greater than or equal to 1"),
}


@pytest.mark.parametrize("what", WRONG_MODELS)
def test_a_model_that_cannot_be_is_refused(client: Client, people: Cast, what: str) -> None:
    provider()
    model()
    wrong, words = WRONG_MODELS[what]
    form = {"name": "new", **ROUTE_FORM, **route(0, "p"), **route(1, ""), **wrong}

    answer = as_(client, people.olga).post("/models/new", form)

    assert answer.status_code == 400
    assert words in text_of(answer.content.decode())
    assert Model.objects.filter(origin="configured").count() == 1


def test_a_model_is_edited_and_keeps_its_price(client: Client, people: Cast) -> None:
    provider()
    row = model()
    initial = {"route-TOTAL_FORMS": "3", "route-INITIAL_FORMS": "1"}
    form = {"display_name": "Shown", "aliases": "other", **initial, **route(0, "p", "there", weight=5)}

    as_(client, people.olga).post("/models/edit/m", form | route(1, "") | route(2, ""))

    row.refresh_from_db()
    assert (row.display_name, row.routes.get().weight, row.prices.count()) == ("Shown", 5, 1)
    assert list(row.aliases.values_list("alias", flat=True)) == ["other"]


def test_prices_have_versions_that_begin_at_their_time(client: Client, people: Cast) -> None:
    provider()
    model()
    soon = timezone.now() + datetime.timedelta(days=3)
    as_(client, people.olga)
    form = {"input": "1", "output": "2", "batch_factor": "0.5"}
    client.post("/models/price/m", form | {"effective_at": soon.strftime("%Y-%m-%dT%H:%M")})
    client.post("/models/price/m", form | {"threshold": "200000", "long_input": "4", "long_output": "5"})

    _, scheduled, current = Price.objects.filter(model__name="m").order_by("id")

    assert scheduled.effective_at == soon.replace(second=0, microsecond=0)
    assert (current.long_context_threshold, current.long_context_cache_read) == (200_000, 4)
    text = page(client, "/models/of/m")
    assert text.index("Scheduled") < text.index("In force") < text.index("past")
    assert f"changes {soon:%b %-d, %Y}" in page(client, "/models?q=m-alias")


WRONG_PRICES = {
    "below zero": ({"input": "-1"}, "greater than or equal to 0"),
    "too exact": ({"input": "0.00000000001"}, "no more than 10 decimal places"),
    "of the past": ({"effective_at": "2020-01-01T00:00"}, "Lies in the past"),
    "half a long context": ({"threshold": "5"}, "What does a request cost that is longer?"),
    "a factor above one": ({"batch_factor": "2"}, "less than or equal to 1"),
}


@pytest.mark.parametrize("what", WRONG_PRICES)
def test_a_price_that_cannot_be_is_refused(client: Client, people: Cast, what: str) -> None:
    provider()
    model()
    wrong, words = WRONG_PRICES[what]

    answer = as_(client, people.olga).post(
        "/models/price/m", {"input": "1", "output": "1", "batch_factor": "0.5", **wrong}
    )

    assert answer.status_code == 400
    assert words in text_of(answer.content.decode())
    assert Price.objects.filter(model__name="m").count() == 1


def test_a_model_is_removed_once_its_name_is_typed(client: Client, people: Cast) -> None:
    provider()
    model()
    freshly(client, people.olga)

    assert client.post("/models/remove/m", {"typed": "n"}).status_code == 400
    assert client.post("/models/remove/m", {"typed": "m"})["location"] == "/models"
    assert not Model.objects.filter(name="m").exists()


def test_published_prices_are_seen_before_they_are_taken_over(client: Client, people: Cast) -> None:
    providers.upsert(
        actor=SYSTEM, name="a", preset="anthropic", dialect="anthropic", base_url="https://api.anthropic.com"
    )
    for name in ("claude-sonnet-4-5", "claude-haiku-4-5"):
        models.upsert(actor=SYSTEM, name=name, routes=[RouteTo("a", name)], price=RATES)
    wrong = Rates(*[Decimal(99)] * 5)
    models.upsert(
        actor=SYSTEM, name="claude-sonnet-4-5", routes=[RouteTo("a", "claude-sonnet-4-5")], price=wrong
    )
    as_(client, people.olga)

    text = page(client, "/models/published-prices")
    assert "claude-sonnet-4-5 by a/claude-sonnet-4-5" in text and "$99 $3" in text
    client.post("/models/published-prices", {"model": ["claude-sonnet-4-5"]})

    sonnet, haiku = (
        Model.objects.get(name=name, origin="configured")
        for name in ("claude-sonnet-4-5", "claude-haiku-4-5")
    )
    assert sonnet.price is not None and haiku.price is not None
    assert (sonnet.price.input, haiku.price.input) == (3, 3)
    assert last_action() == ("model.changed", people.olga.id)
    assert client.post("/models/published-prices", {}).status_code == 302
    assert client.post("/models/published-prices", {"model": ["nothing"]}).status_code == 400
