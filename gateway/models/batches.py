"""Message batches: rows are the queue, the results and the truth; everything else only hints at them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from gateway.batch_states import ItemState
from gateway.models.identifiers import message_batch_id
from gateway.models.organizations import Organization
from gateway.models.workspaces import Workspace


class MessageBatch(models.Model):
    """What a client sent in one call. Of its `total` items the four counts are those that are done, while it runs too.

    `relayed` are the `anthropic-*` headers, `[name, value]` each, that hold for all of its items, `query` what stood in
    the URL. `passage` says how it is carried: item by item (`emulated`), or whole by `provider` (`native`), which knows
    it as `upstream_id`; "" until that was decided. `archived_at` is when its results were removed.

    Of a native one `forwarded_at` is set before it is sent, so that who finds it without an `upstream_id` has to look
    whether the provider has it. `provider_key` is the id of the key that it was sent with.
    """

    class Status(models.TextChoices):
        IN_PROGRESS = "in_progress"
        CANCELING = "canceling"
        ENDED = "ended"

    class Passage(models.TextChoices):
        UNDECIDED = ""
        EMULATED = "emulated"
        NATIVE = "native"

    id = models.CharField(primary_key=True, max_length=40, default=message_batch_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    api_key_id = models.CharField(max_length=40)  # who made it; outlives the key
    request_id = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=Status, default=Status.IN_PROGRESS)
    passage = models.CharField(max_length=16, choices=Passage, default=Passage.UNDECIDED, blank=True)
    version = models.CharField(max_length=32)
    relayed = models.JSONField(default=list)
    query = models.TextField(blank=True)
    user_agent = models.CharField(max_length=200, blank=True)
    model_names = models.JSONField(default=list)  # those that its items ask for, each once
    total = models.IntegerField()
    succeeded = models.IntegerField(default=0)
    errored = models.IntegerField(default=0)
    canceled = models.IntegerField(default=0)
    expired = models.IntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    cancel_initiated_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)
    provider = models.CharField(max_length=64, blank=True)
    provider_key = models.CharField(max_length=64, blank=True, default="", db_default="")
    forwarded_at = models.DateTimeField(null=True)
    upstream_id = models.CharField(max_length=128, blank=True)
    lease = models.BigIntegerField(null=True)  # the runner that speaks with `provider` about it
    next_look_at = models.DateTimeField(null=True)  # when to ask `provider` again

    class Meta:
        db_table = "message_batch"
        indexes = [
            models.Index(fields=["organization", "workspace", "created_at", "id"], name="batch_by_age"),
            models.Index(fields=["created_at", "id"], name="batch_open", condition=~Q(status="ended")),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def done(self) -> int:
        """Items that have their result."""
        return self.succeeded + self.errored + self.canceled + self.expired


class BatchItem(models.Model):
    """One request of a batch: `number` is its place in it, `params` the body as it came, `result` its line of results
    without the line feed.

    While it is `RUNNING` it belongs to the runner `lease`, which nobody else may store results for; `tries` counts the
    times that it was leased or given to a provider. Not before `not_before` is it leased again; with some `tries` and
    none it was a runner's that died.

    That a `custom_id` stands once in a batch is checked when it comes in: an index of them would be written at every
    change of an item, and PostgreSQL would take it for items that are sought by number.
    """

    pk = models.CompositePrimaryKey("batch", "number")
    batch = models.ForeignKey(
        MessageBatch, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    number = models.IntegerField()
    custom_id = models.CharField(max_length=64)
    params = models.BinaryField()
    state = models.SmallIntegerField(default=int(ItemState.PENDING), db_default=int(ItemState.PENDING))
    tries = models.SmallIntegerField(default=0, db_default=0)
    lease = models.BigIntegerField(null=True)
    not_before = models.DateTimeField(null=True)
    result = models.BinaryField(null=True)

    class Meta:
        db_table = "message_batch_item"
        indexes = [
            models.Index(
                fields=["batch", "number"],
                name="batch_item_pending",
                condition=Q(state=int(ItemState.PENDING)),
            ),
            models.Index(
                fields=["batch", "number"],
                name="batch_item_again",
                condition=Q(state=int(ItemState.PENDING), tries__gt=0),
            ),
            models.Index(
                fields=["lease"], name="batch_item_leased", condition=Q(state=int(ItemState.RUNNING))
            ),
        ]


class BatchRunner(models.Model):
    """A process that runs items, alive while `seen_at` is of late. Its id is the fencing token of its leases."""

    id = models.BigAutoField(primary_key=True)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    host = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table = "message_batch_runner"


class BatchTally(models.Model):
    """What all runners have ever done, for figures: a single row, of which no result depends."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    sent = models.BigIntegerField(default=0)
    finished = models.BigIntegerField(default=0)
    requeued = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)

    class Meta:
        db_table = "message_batch_tally"


class IdempotencyKey(models.Model):
    """A call that was made once: whoever repeats it with the same body (SHA-256) gets the same answer."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    route = models.CharField(max_length=100)
    key = models.CharField(max_length=255)
    body_digest = models.BinaryField()
    answer = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "idempotency_key"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "workspace", "route", "key"], name="idempotency_key_unique"
            )
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_by_age")]
