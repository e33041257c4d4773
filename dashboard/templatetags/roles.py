"""Roles as people call them; see `dashboard/frame/role_words.py`."""

from __future__ import annotations

from django import template

from dashboard.frame.role_words import role_name

register = template.Library()
register.filter("role_name", role_name)
