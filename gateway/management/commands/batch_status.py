"""`manage.py batch_status`: how far message batches are."""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections.abc import Sequence

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from gateway.batch_states import ItemState
from gateway.batches.progress import progress_of
from gateway.management.operator_command import OperatorCommand
from gateway.models import BatchItem, MessageBatch

RECENT = datetime.timedelta(hours=1)  # for which ended batches are listed too
MOST_LISTED = 50
FOLLOW_SECONDS = 1.0
NOT_ALL = 2  # the exit code where a batch that was followed has items that did not succeed
WIDTH = 200


class Command(OperatorCommand):
    help = (
        "Shows the message batches of all organizations that have not ended, and those of the last hour that have; "
        "with an ID, that one and how far it is. --follow shows a progress bar until it has ended, "
        "and ends with exit code 2 if not all of it succeeded."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", nargs="?", metavar="ID", help="one batch, msgbatch_...")
        parser.add_argument("--follow", action="store_true", help="a progress bar, until the batch has ended")
        parser.add_argument("--json", action="store_true", help="one JSON object a line, for programs")

    def handle(self, *, id: str | None, follow: bool, json: bool, **options: object) -> None:
        if id is None:
            if follow:
                raise CommandError("--follow wants the ID of a batch")
            self._tell(_recent(), as_json=json)
        elif follow:
            batch = self._follow(id, as_json=json)
            if batch.succeeded < batch.total:
                sys.exit(NOT_ALL)
        else:
            self._tell([_batch(id)], as_json=json)

    def _tell(self, batches: Sequence[MessageBatch], *, as_json: bool) -> None:
        if as_json:
            for batch in batches:
                self.stdout.write(json.dumps(_told(batch)))
        elif batches:
            self._console().print(_table(batches))
        else:
            self.stdout.write("No message batch is under way, and none ended within the last hour.")

    def _console(self) -> Console:
        """In a file or a pipe there is room for everything."""
        return Console(file=self.stdout, width=None if self.stdout.isatty() else WIDTH)

    def _follow(self, batch_id: str, *, as_json: bool) -> MessageBatch:
        """The batch as it has ended."""
        if as_json:
            while (batch := _batch(batch_id)).status != MessageBatch.Status.ENDED:
                self._tell([batch], as_json=True)
                time.sleep(FOLLOW_SECONDS)
            self._tell([batch], as_json=True)
            return batch
        batch = _batch(batch_id)
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self._console(),
        ) as progress:
            bar = progress.add_task(batch.id, total=batch.total, told="", rate="")
            while _show(progress, bar, batch := _batch(batch_id)):
                time.sleep(FOLLOW_SECONDS)
        self._tell([batch], as_json=False)
        return batch


def _show(progress: Progress, bar: TaskID, batch: MessageBatch) -> bool:
    """Whether it goes on."""
    told = batch.status.replace("_", " ")
    if batch.errored:
        told += f", {batch.errored:,} errored"
    going_on = batch.status != MessageBatch.Status.ENDED
    rate = f"{progress_of(batch, timezone.now()).per_second:g} a second"
    if going_on:
        rate += f", expires in {_clock(batch)}"
    progress.update(bar, completed=batch.done, told=told, rate=rate)
    return going_on


def _batch(batch_id: str) -> MessageBatch:
    batch = MessageBatch.objects.select_related("organization", "workspace").filter(pk=batch_id).first()
    if batch is None:
        raise CommandError(f"there is no message batch {batch_id[:100]!r}")
    return batch


def _recent() -> list[MessageBatch]:
    rows = MessageBatch.objects.select_related("organization", "workspace").order_by("created_at")
    open_ones = rows.exclude(status=MessageBatch.Status.ENDED)
    ended = rows.filter(status=MessageBatch.Status.ENDED, ended_at__gte=timezone.now() - RECENT)
    return [*open_ones[:MOST_LISTED], *ended[:MOST_LISTED]]


def _table(batches: Sequence[MessageBatch]) -> Table:
    table = Table()
    table.add_column("batch", no_wrap=True, min_width=len(batches[0].id))
    for heading in ("organization / workspace", "status", "carried"):
        table.add_column(heading)
    for heading in ("done", "ok", "errored", "canceled", "expired", "a second", "ends in", "expires in"):
        table.add_column(heading, justify="right")
    for batch in batches:
        counts = (batch.succeeded, batch.errored, batch.canceled, batch.expired)
        progress = progress_of(batch, timezone.now())
        table.add_row(
            batch.id,
            f"{batch.organization.name} / {batch.workspace.name}",
            batch.status,
            f"by {batch.provider}" if batch.provider else batch.passage or "waits",
            f"{batch.done:,} of {batch.total:,}",
            *[f"{count:,}" for count in counts],
            f"{progress.per_second:.1f}" if progress.per_second else "",
            "" if progress.seconds_left is None else _duration(progress.seconds_left),
            _clock(batch),
        )
    return table


def _told(batch: MessageBatch) -> dict[str, object]:
    progress = progress_of(batch, timezone.now())
    running = BatchItem.objects.filter(batch=batch, state=ItemState.RUNNING).count()
    return {
        "id": batch.id,
        "organization": batch.organization.name,
        "workspace": batch.workspace.name,
        "status": batch.status,
        "passage": batch.passage,
        "provider": batch.provider,
        "total": batch.total,
        "waiting": batch.total - batch.done - running,
        "running": running,
        "succeeded": batch.succeeded,
        "errored": batch.errored,
        "canceled": batch.canceled,
        "expired": batch.expired,
        "per_second": progress.per_second,
        "seconds_left": progress.seconds_left,
        "created_at": batch.created_at.isoformat(),
        "expires_at": batch.expires_at.isoformat(),
        "ended_at": batch.ended_at and batch.ended_at.isoformat(),
    }


def _clock(batch: MessageBatch) -> str:
    """Hours and minutes until it expires; nothing for one that has ended."""
    if batch.status == MessageBatch.Status.ENDED:
        return ""
    minutes = max(0, round((batch.expires_at - timezone.now()).total_seconds())) // 60
    return f"{minutes // 60}:{minutes % 60:02}"


def _duration(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))
