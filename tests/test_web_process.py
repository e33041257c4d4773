"""What a web process must not load before somebody asks for it: it costs memory in every process."""

from __future__ import annotations

import os
import subprocess
import sys

from gateway.configuration import PROJECT_DIR

LAZY = (
    "rest_framework",
    "celery",
    "genai_prices",
    "rs_bpe",
    "dashboard.frame.error_views",
    "admin_api",
    "gateway.urls",
)


def test_the_front_door_loads_neither_pages_nor_the_admin_api_nor_workers() -> None:
    code = f"import sys, gateway.server; print([name for name in {LAZY} if name in sys.modules])"

    loaded = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_DIR,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )

    assert loaded.stdout.strip() == "[]"


def test_each_of_these_would_be_found() -> None:
    """A name that no module has would make the test above worth nothing."""
    modules = "gateway.error_handlers, gateway.urls, celery, rs_bpe, genai_prices"
    code = f"import sys, django; django.setup(); import {modules}"

    loaded = subprocess.run(
        [sys.executable, "-c", f"{code}; print([name for name in {LAZY} if name not in sys.modules])"],
        cwd=PROJECT_DIR,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )

    assert loaded.stdout.strip() == "[]"
