"""The audit log: who did what, of an organization or, for operators, of the whole installation."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from admin_api import access, pages
from admin_api.queries import audit_chain
from admin_api.queries.audit_chain import Chain
from admin_api.queries.audit_entries import audit_entries
from dashboard.audit_log.files import HEADER, csv_rows
from dashboard.audit_log.forms import AuditFilterForm
from dashboard.audit_log.lines import lines_of
from dashboard.downloads.csv_export import csv_response
from dashboard.frame.fragments import wants_fragment
from dashboard.frame.place import Reader, reader_page_for
from gateway.models import AuditEntry, AuditLink, Membership, Organization

ON_A_PAGE = 50
LONGEST_ID = 18  # digits
MOST_NEW = 100  # that the pill counts
reader_page = reader_page_for(Membership.Role.ADMIN)


@require_safe
@reader_page
def audit_log(request: HttpRequest, reader: Reader) -> HttpResponse:
    """The newest first, or what is older than `?after=`."""
    organization, asked = _scope(request, reader), AuditFilterForm(request.GET)
    rows, after = audit_entries(organization, asked.wanted()), request.GET.get("after", "")
    if after and not _is_id(after):
        return redirect("audit_log")
    page: pages.IdPage[AuditEntry] = pages.by_id(
        rows,
        {"limit": ON_A_PAGE, **({"after_id": after} if after else {})},
        among=audit_entries(organization),
        at="at" if organization is not None else "id",
    )
    context = _frame(request, reader, organization) | {
        "form": asked,
        "lines": lines_of(page.rows),
        "filtered": any(request.GET.get(name) for name in asked.fields),
        "after": after,
        "newest_url": _address(request, after=None) if after else "",
        "older_url": _address(request, after=page.rows[-1].pk) if page.has_more else "",
        "csv_query": _query(request, after=None),
        "new_query": _query(request, after=None, since_id=page.rows[0].pk if page.rows else 0),
    }
    return render(request, "dashboard/audit_log/index.html", context)


@require_safe
@reader_page
def audit_log_new(request: HttpRequest, reader: Reader) -> HttpResponse:
    """How many entries there are that the page does not show yet, as a link to them."""
    newest = request.GET.get("since_id", "")
    if not wants_fragment(request) or not _is_id(newest):
        return redirect("audit_log")
    rows = audit_entries(_scope(request, reader), AuditFilterForm(request.GET).wanted()).filter(pk__gt=newest)
    context = {
        "new": min(rows[: MOST_NEW + 1].count(), MOST_NEW),
        "many": rows[: MOST_NEW + 1].count() > MOST_NEW,
        "newest_url": _address(request, after=None, since_id=None, to="audit_log"),
        "new_query": _query(request, after=None),
    }
    return render(request, "dashboard/audit_log/new.html", context)


@require_safe
@reader_page
def audit_entry(request: HttpRequest, reader: Reader, id: int) -> HttpResponse:
    organization = _scope(request, reader)
    entry = access.audit_entry(organization, id)
    (line,) = lines_of([entry], operator=reader.user.is_operator)
    link = AuditLink.objects.filter(entry_id=entry.pk).first()
    context = _frame(request, reader, organization) | {
        "line": line,
        "entry": entry,
        "details": json.dumps(entry.details, ensure_ascii=False, indent=2),
        "position": link.position if link else None,
        "hash": bytes(link.hash).hex() if link else "",
        "previous_hash": bytes(link.previous_hash).hex() if link else "",
    }
    return render(request, "dashboard/audit_log/entry.html", context)


@require_safe
@reader_page
def verify_audit_log(request: HttpRequest, reader: Reader) -> HttpResponse:
    """Reads every chain that the reader may see, from its first entry to its last."""
    organization = _scope(request, reader)
    chains = [audit_chain.verify(organization)] if organization is not None else audit_chain.verify_all()
    broken = [chain for chain in chains if not chain.whole]
    context = _frame(request, reader, organization) | {
        "chains": chains,
        "broken": _named(broken),
        "entries": sum(chain.entries for chain in chains),
        "only": chains[0] if organization is not None else None,
        "as_of": timezone.now(),
    }
    return render(request, "dashboard/audit_log/chain.html", context)


@require_safe
@reader_page
def audit_log_csv(request: HttpRequest, reader: Reader) -> StreamingHttpResponse:
    """What the page's filters leave, all of it."""
    rows = audit_entries(_scope(request, reader), AuditFilterForm(request.GET).wanted())
    return csv_response(request, "audit-log", HEADER, csv_rows(rows))


def _scope(request: HttpRequest, reader: Reader) -> Organization | None:
    """Whose log: the reader's organization; of who runs the installation, or asks for `?all=1` as they do, all."""
    if reader.place is not None and not (reader.user.is_operator and request.GET.get("all")):
        return reader.place.organization
    return None


def _frame(request: HttpRequest, reader: Reader, organization: Organization | None) -> dict[str, object]:
    both = reader.user.is_operator and reader.place is not None
    return {
        "organization": organization,
        "both": both,
        "scope_query": "?all=1" if both and organization is None else "",
        "all": both and organization is None,
    }


def _named(chains: list[Chain]) -> list[tuple[str, Chain]]:
    ids = [chain.organization_id for chain in chains if chain.organization_id]
    names = {row.id: row.name for row in Organization.objects.filter(id__in=ids)}
    return [
        (names.get(chain.organization_id, str(chain.organization_id)) if chain.organization_id else "", chain)
        for chain in chains
    ]


def _query(request: HttpRequest, **changes: object) -> str:
    kept = {name: value for name, value in request.GET.items() if value and name not in changes}
    return urlencode(kept | {name: value for name, value in changes.items() if value is not None})


def _address(request: HttpRequest, **changes: object) -> str:
    changes.pop("to", None)
    query = _query(request, **changes)
    return f"?{query}" if query else "?"


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= LONGEST_ID
