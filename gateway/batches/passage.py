"""stub"""

from __future__ import annotations

from gateway.batches.item_call import Owner
from gateway.batches.store import Row
from gateway.directory.catalog import Catalog, Target


def decide(batch: Row, catalog: Catalog, owner: Owner) -> Target | None:
    return None
