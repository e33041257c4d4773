"""`manage.py check_provider`: a JSON and a streamed call to each place, one by one so that the times are true."""

from __future__ import annotations

from typing import Protocol

from gateway.configuration import Configuration
from gateway.directory.store import DirectoryStore
from gateway.encryption import Vault
from gateway.provider_check import plan
from gateway.provider_check.plan import Place
from gateway.provider_check.trial import Outcome, ask
from gateway.upstreams.client import UpstreamClient


class Report(Protocol):
    """Who is told as things happen."""

    def begins(self, place: Place, *, stream: bool) -> None: ...
    def ended(self, outcome: Outcome) -> None: ...


async def check(
    configuration: Configuration, provider: str, *, model: str | None, patience: float, report: Report
) -> None:
    """Asks the provider as the data plane would ask it at this moment; `plan.places` says for which models.

    `patience` is seconds that a beginning of an answer may take, beside the provider's own time-outs.
    Raises `StoreUnavailable`.
    """
    client = UpstreamClient()
    try:
        for place in await _places(configuration, provider, model):
            for stream in (False, True):
                report.begins(place, stream=stream)
                outcome = await ask(
                    place,
                    client,
                    stream=stream,
                    patience=patience,
                    simulator_delay=configuration.simulator_delay_ms / 1000,
                )
                report.ended(outcome)
    finally:
        await client.aclose()


async def _places(configuration: Configuration, provider: str, model: str | None) -> list[Place]:
    vault = Vault([key.get_secret_value() for key in configuration.data_encryption_keys])
    store = DirectoryStore(configuration.database_url, vault=vault, simulator=configuration.simulator)
    await store.open()
    try:
        return await plan.places(store, provider, model)
    finally:
        await store.close()
