"""Filters that write numbers; see `dashboard/frame/figures.py`."""

from __future__ import annotations

from django import template

from dashboard.frame import figures

register = template.Library()
register.filter("count", figures.count)
register.filter("compact", figures.compact)
register.filter("money", figures.money)
register.filter("brief_money", figures.brief_money)
register.filter("exact_money", figures.exact_money)
register.filter("cents", figures.of_cents)


@register.filter
def figure(sums: object, name: str) -> object:
    """What `name` names of sums: a column that a template does not know."""
    return getattr(sums, name)
