"""How a batch is carried: whole, by a provider that takes batches itself, or item by item through the engine.

Whole only where nobody is worse off for it: all of its models lead to one such provider and nowhere else, so that no
item could have gone another way. Under a spend limit or credit each item has to fit before it is sent, which only the
engine can see to.
"""

from __future__ import annotations

from gateway.batches.intake import MOST_MODEL_NAMES
from gateway.batches.item_call import Owner
from gateway.batches.store import Row
from gateway.directory.catalog import Catalog, Target
from gateway.engine.asked import permitted_model
from gateway.errors import GatewayError


def decide(batch: Row, catalog: Catalog, owner: Owner) -> Target | None:
    """The provider, with one of its keys, that carries the batch whole; None where it is emulated.

    `batch` has its `model_names`. One of so many that not all are known is emulated.
    """
    names = batch["model_names"]
    if not 0 < len(names) < MOST_MODEL_NAMES or owner.workspace.budgets:
        return None
    chosen: Target | None = None
    for name in names:
        ways = _ways(name, catalog, owner)
        chosen = chosen or (ways[0] if ways else None)
        if not ways or any(not _same(way, chosen) for way in ways):
            return None
    return chosen


def _ways(name: str, catalog: Catalog, owner: Owner) -> list[Target]:
    """All that lead to a model, likelier keys likelier first; none where it is unknown or may not be used."""
    try:
        return permitted_model(name, catalog, owner.workspace).ordered_targets()
    except GatewayError:
        return []


def _same(way: Target, chosen: Target | None) -> bool:
    return chosen is not None and way.native_batches and way.provider == chosen.provider
