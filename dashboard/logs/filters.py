"""What the URL of the logs asks for: `?status=429&model=...`, the same for the list, the live tail and the files."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import QueryDict
from django.utils import timezone

from admin_api.queries.log_walk import Place
from admin_api.queries.request_log import FAILED, REFUSED, SUCCEEDED, Wanted
from dashboard.forms.form import Form
from dashboard.logs.choices import NOTHING, Choices

ANY = ("", "Any")
STATUSES = [ANY, (SUCCEEDED, "Succeeded"), (FAILED, "Failed"), (REFUSED, "Refused by a limit")]
CODES = [(str(code), str(code)) for code in (200, 400, 402, 404, 413, 429, 499, 500, 502, 503, 504, 529)]
STREAMED = [ANY, ("yes", "Streamed"), ("no", "In one piece")]
ERRORS = (
    "api_error",
    "billing_error",
    "client_closed",
    "invalid_request_error",
    "not_found_error",
    "overloaded_error",
    "permission_error",
    "process_died",
    "rate_limit_error",
    "timeout_error",
)
STOPS = ("end_turn", "max_tokens", "pause_turn", "refusal", "stop_sequence", "tool_use")
TIERS = ("standard", "batch", "priority", "flex")
LONGEST = 200
MOMENTS = ("start", "end")
MOMENT = "%Y-%m-%dT%H:%M:%S"


class LogFilters(Form):
    """Every field may be empty. A choice that is not listed, such as an archived key's, is still one to filter by.

    Times are read and shown in Django's current zone unless they name their own. `asked` is what the address says, with
    times in UTC, so that it can be shared.
    """

    status = forms.CharField(max_length=16, required=False)
    error = forms.CharField(label="Error type", max_length=64, required=False)
    model = forms.CharField(max_length=LONGEST, required=False)
    api_key_id = forms.CharField(label="API key", max_length=40, required=False)
    workspace_id = forms.CharField(label="Workspace", max_length=40, required=False)
    user_id = forms.CharField(label="Member", max_length=40, required=False)
    client = forms.CharField(label="Client", max_length=LONGEST, required=False)
    session_id = forms.CharField(label="Session id", max_length=LONGEST, required=False)
    service_tier = forms.CharField(label="Service tier", max_length=32, required=False)
    stop_reason = forms.CharField(label="Stop reason", max_length=64, required=False)
    stream = forms.ChoiceField(label="Streamed", choices=STREAMED, required=False)
    start = forms.DateTimeField(label="From", required=False)
    end = forms.DateTimeField(label="To", required=False)

    def __init__(self, data: QueryDict, choices: Choices) -> None:
        self.asked = {name: data.get(name, "") for name in self.base_fields}
        shown = dict(self.asked)
        for name in MOMENTS:
            if at := _moment(self.asked[name]):
                self.asked[name] = f"{at.astimezone(datetime.UTC):{MOMENT}}Z"
                shown[name] = f"{timezone.localtime(at):{MOMENT}}"
        super().__init__(shown, auto_id="filter-%s")
        self._choose("status", [*STATUSES, *CODES])
        self._choose("api_key_id", [ANY, *choices.keys])
        self._choose("workspace_id", [ANY, *choices.workspaces])
        self._choose("user_id", [ANY, *choices.members])
        self._suggest("error", ERRORS)
        self._suggest("model", choices.models)
        self._suggest("service_tier", TIERS)
        self._suggest("stop_reason", STOPS)
        self.fields["client"].widget.attrs["placeholder"] = "claude-cli"
        for name in MOMENTS:
            self.fields[name].widget = forms.DateTimeInput(
                {"type": "datetime-local", "step": 1, "class": "input"}
            )

    @property
    def suggested(self) -> list[tuple[str, tuple[str, ...]]]:
        """Lists that fields offer, by their ids."""
        return [
            (field.widget.attrs["list"], field.suggested)
            for field in self.fields.values()
            if hasattr(field, "suggested")
        ]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name, value in cleaned.items():
            if isinstance(value, str) and "\0" in value:
                self.add_error(name, "This cannot be part of it.")
        start, end = cleaned.get("start"), cleaned.get("end")
        if start and end and start >= end:
            self.add_error("end", "This is not after the beginning.")
        return cleaned

    def wanted(self) -> Wanted:
        """What is valid of what was asked for."""
        self.is_valid()
        given = dict(self.cleaned_data)
        stream = given.pop("stream", "")
        return Wanted(**given, stream={"yes": True, "no": False}.get(stream))

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        value = self.asked[name]
        if value not in {known for known, _ in choices}:
            choices = [*choices, (value, value)]
        self.fields[name].widget = forms.Select({"class": "input"}, choices)

    def _suggest(self, name: str, values: tuple[str, ...]) -> None:
        field: Any = self.fields[name]
        field.suggested = values
        field.widget.attrs |= {"list": f"known-{name}", "autocomplete": "off", "spellcheck": "false"}


def wanted_of(data: QueryDict) -> Wanted:
    """The same without anything to choose from."""
    return LogFilters(data, NOTHING).wanted()


@dataclasses.dataclass(frozen=True)
class Chip:
    """A filter that is in use, and the query without it."""

    label: str
    value: str
    without: str


def chips(filters: LogFilters) -> list[Chip]:
    shown = []
    for name, field in filters.fields.items():
        if filters.asked[name]:
            label = field.label or name.replace("_", " ").capitalize()
            shown.append(Chip(label, _named(filters, name), query(filters, **{name: ""})))
    return shown


def _named(filters: LogFilters, name: str) -> str:
    """As people know the value."""
    value = str(filters.data[name]).replace("T", " ") if name in MOMENTS else filters.asked[name]
    return str(dict(getattr(filters.fields[name].widget, "choices", [])).get(value, value))


def _moment(text: str) -> datetime.datetime | None:
    try:
        found = forms.DateTimeField(required=False).clean(text)
    except forms.ValidationError:
        return None
    return found if isinstance(found, datetime.datetime) else None


def query(filters: LogFilters, **changed: str) -> str:
    """The query string of these filters, with some changed; "" where nothing is asked for."""
    given = {name: value for name, value in {**filters.asked, **changed}.items() if value}
    return f"?{urlencode(given)}" if given else ""


def place_of(text: str) -> Place | None:
    """Where a page begins, as `written` wrote it; None for anything else, which is the first page."""
    milliseconds, _, id = text.partition("-")
    if not milliseconds.isascii() or not milliseconds.isdigit() or len(milliseconds) > 13 or "\0" in id:
        return None
    return datetime.datetime.fromtimestamp(int(milliseconds) / 1000, datetime.UTC), id[:64]


def written(place: Place) -> str:
    at, id = place
    return f"{round(at.timestamp() * 1000)}-{id}"
