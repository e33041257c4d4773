"""What the Playground starts with: the models of a workspace as its script needs them, samples, and what was asked."""

from __future__ import annotations

import dataclasses

from django.db.models import Prefetch

from admin_api.queries.available_models import available_models
from gateway.directory.catalog import CatalogModel
from gateway.models import Model, Organization, Route, Workspace
from gateway.models.catalog import Origin
from gateway.protocol.anthropic.families import OPEN, Family, Thinking, family_of

# How a model can be told to think, the first being what stands for any other wish.
WAYS = {
    Thinking.NONE: (),
    Thinking.BUDGET: ("budget",),
    Thinking.ADAPTIVE: ("adaptive",),
    Thinking.ALWAYS: ("adaptive",),
}
ELSEWHERE = ("budget",)  # other dialects are told an effort, which follows from the budget


@dataclasses.dataclass(frozen=True)
class Offered:
    """A model on the page. `hottest` is the highest temperature; `max_output` None where nobody knows it."""

    name: str
    label: str
    max_output: int | None
    thinking: tuple[str, ...]
    hides_thinking: bool
    sampling: bool
    hottest: float
    efforts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Sample:
    """A prompt to begin with, as the script takes it."""

    label: str
    content: dict[str, object]


WEATHER = """[
  {
    "name": "get_weather",
    "description": "The weather in a city, now.",
    "input_schema": {
      "type": "object",
      "properties": {"city": {"type": "string"}},
      "required": ["city"]
    }
  }
]"""

SAMPLES = (
    Sample(
        "Explain a thing",
        {
            "message": "Explain {{thing}} to a ten-year-old in five sentences.",
            "variables": {"thing": "tides"},
        },
    ),
    Sample(
        "Sort a ticket",
        {
            "system": "You sort support tickets. Answer with one word: billing, bug, question or other.",
            "message": "{{ticket}}",
            "variables": {"ticket": "I was charged twice in May."},
        },
    ),
    Sample(
        "Take out facts as JSON",
        {
            "system": "Answer with one JSON object and nothing else.",
            "message": "Name, company and city of everybody in this text:\n\n{{text}}",
            "variables": {"text": "Grace of Orion Tools met Ken of Brightwater in Turin."},
        },
    ),
    Sample(
        "Call a tool",
        {"message": "Do I need an umbrella in Lisbon today? Use get_weather.", "tools": WEATHER},
    ),
)


def offered(organization: Organization, workspace: Workspace) -> list[Offered]:
    """The models that may be used in the workspace and are served by anybody, by name."""
    served = _first_routes()
    catalog = available_models(organization, workspace)
    return [_offered(one, served[one.name]) for one in catalog.models if one.name in served]


def _first_routes() -> dict[str, Route]:
    """By the model's name; what operators configured wins a name from the simulator."""
    routes = Prefetch("routes", Route.objects.select_related("provider").order_by("priority", "id"))
    rows = Model.objects.filter(routes__isnull=False).distinct().prefetch_related(routes)
    found: dict[str, Route] = {}
    for row in sorted(rows, key=lambda row: row.origin == Origin.CONFIGURED):
        found[row.name] = row.routes.all()[0]
    return found


def _offered(model: CatalogModel, route: Route) -> Offered:
    elsewhere = route.provider.dialect == "openai"
    family: Family = OPEN if elsewhere else family_of(route.upstream_model)
    return Offered(
        name=model.name,
        label=model.display_name or model.name,
        max_output=model.max_output_tokens,
        thinking=ELSEWHERE if elsewhere else WAYS[family.thinking],
        hides_thinking=family.hides_thinking,
        sampling=family.sampling,
        hottest=family.hottest,
        efforts=family.efforts,
    )
