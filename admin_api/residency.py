"""Where the requests of a workspace may be served: what is wanted, checked at the door of an action."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from gateway.errors import InvalidRequest
from gateway.models import Workspace

GEOS = ("global", "us")
UNRESTRICTED = "unrestricted"


@dataclasses.dataclass(frozen=True)
class Residency:
    """`allowed` is a list of `GEOS`, or `UNRESTRICTED`; `default` one of `GEOS`. None leaves what holds."""

    allowed: Sequence[str] | str | None = None
    default: str | None = None


AS_IT_IS = Residency()


def check_residency(wanted: Residency, workspace: Workspace) -> dict[str, object]:
    """The fields of `workspace` that `wanted` is about, as they are stored.

    Raises `InvalidRequest` where the default would not be among what is allowed.
    """
    fields: dict[str, object] = {}
    allowed, default = workspace.allowed_inference_geos, workspace.default_inference_geo
    if wanted.allowed is not None:
        allowed = fields["allowed_inference_geos"] = _stored(wanted.allowed)
    if wanted.default is not None:
        default = fields["default_inference_geo"] = wanted.default
    if allowed is not None and default not in allowed:
        raise InvalidRequest(
            f"data_residency.default_inference_geo: {default!r} is not one of allowed_inference_geos"
        )
    return fields


def _stored(allowed: Sequence[str] | str) -> list[str] | None:
    """The same geographies are the same list, whatever their order was."""
    return None if allowed == UNRESTRICTED else sorted(set(allowed))
