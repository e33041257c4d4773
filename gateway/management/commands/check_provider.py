"""`manage.py check_provider NAME`: does a provider answer, asked as the gateway asks it?"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from collections.abc import Collection, Coroutine, Mapping

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from admin_api.queries import named
from gateway import logs
from gateway.directory.store import StoreUnavailable
from gateway.management.operator_command import OperatorCommand
from gateway.models import ProviderKey
from gateway.provider_check.check import check
from gateway.provider_check.report import JsonReport, TableReport
from gateway.provider_check.trial import MOST_PATIENCE, Answer, Outcome

INTERRUPTED = 130


class Command(OperatorCommand):
    help = (
        "Asks a provider for one word, as JSON and as a stream, for each model that the catalog routes to it and with "
        "each of its keys, exactly as the gateway would ask: same address, key, translation and time-outs. No "
        "tenant is charged. Prints a table; the exit code is 1 if any call failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("provider", metavar="NAME", help="the provider's name in the catalog")
        parser.add_argument(
            "--model",
            metavar="M",
            help="only this one: a name or alias of the catalog, or the provider's own name, which needs no route",
        )
        parser.add_argument(
            "--timeout",
            metavar="SECONDS",
            type=seconds,
            default=MOST_PATIENCE,
            help="wait no longer than this for a beginning (default: 600, or what the provider is given)",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the table")

    def handle(
        self,
        *,
        provider: str,
        model: str | None,
        timeout: float,
        json: bool,
        verbosity: int,
        no_color: bool,
        **options: object,
    ) -> None:
        keys = {str(key.pk): _told(key) for key in named.provider(provider).keys.all()}
        self.stdout.ending = ""  # the reports end their lines themselves
        report = JsonReport(self.stdout, keys) if json else TableReport(self.stdout, keys, no_color=no_color)
        try:
            with logs.quiet() if verbosity < 2 else contextlib.nullcontext(), report:
                checking = check(
                    settings.CONFIGURATION, provider, model=model, patience=timeout, report=report
                )
                asyncio.run(_until_interrupted(checking))
        except StoreUnavailable as problem:
            raise CommandError(f"the database does not answer ({problem})") from problem
        except (KeyboardInterrupt, asyncio.CancelledError):
            raise CommandError("interrupted", returncode=INTERRUPTED) from None
        if not report.outcomes:
            raise CommandError(f"no model is routed to {provider}; name one that it has with --model")
        if wrong := _wrong(report.outcomes, keys):
            raise CommandError("; ".join(wrong))


async def _until_interrupted(work: Coroutine[None, None, None]) -> None:
    """Ctrl-C cancels it. The loop's own handler also wakes a loop that was just about to wait for the provider."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
    await work


def seconds(word: str) -> float:
    """As argparse wants it: it tells of a word that is none by this function's name."""
    number = float(word)
    if not 0 < number <= MOST_PATIENCE:
        raise argparse.ArgumentTypeError(f"expected seconds up to {MOST_PATIENCE:g}")
    return number


def _told(key: ProviderKey) -> str:
    """What a key is called: never itself."""
    return f"...{key.api_key_hint}" if key.api_key_hint else f"#{key.pk}"


def _wrong(outcomes: Collection[Outcome], keys: Mapping[str, str]) -> list[str]:
    """One phrase for each thing that is not as it should be."""
    failed = sum(not isinstance(outcome.result, Answer) for outcome in outcomes)
    wrong = [f"{failed} of {len(outcomes)} calls failed"] if failed else []
    used = {outcome.place.target.key_id for outcome in outcomes if outcome.place.target.api_key}
    unreadable = [told for key_id, told in keys.items() if key_id not in used]
    return wrong + [
        f"key {told} cannot be decrypted with GATEWAY_DATA_ENCRYPTION_KEYS and is not used"
        for told in unreadable
    ]
