"""Tells Celery's workers that there is something to do. Only a hint: beat finds what was not told.

A web process knows no tasks and does not load Celery, which costs memory in each; kombu sends the message in the form
that Celery documents for clients in other languages.
"""

from __future__ import annotations

import concurrent.futures
import datetime
import threading
import uuid
from typing import Any

import structlog
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.messaging import Producer

log = structlog.get_logger(__name__)

RUN = "gateway.batches.tasks.run_batches"
RUN_NATIVE = "gateway.batches.tasks.run_native_batches"
QUEUE = "celery"

# An old hint says nothing new: beat has looked several times since.
EXPIRES_SECONDS = 30
SECONDS = 0.4  # for connecting, and for each answer

_BODY: tuple[list[Any], dict[str, Any], dict[str, Any]] = (
    [],
    {},
    {"callbacks": None, "errbacks": None, "chain": None, "chord": None},
)

_OPTIONS = {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS, "retry_on_timeout": False}


class Hints:
    """Of one process. `tell` never waits and never fails; what is told while the same is being told is one hint."""

    def __init__(self, broker_url: str) -> None:
        """`broker_url` as Celery takes it."""
        self._url = broker_url
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "batch-hints")
        self._lock = threading.Lock()
        self._waiting: set[str] = set()
        self._connection: Connection | None = None

    def tell(self, task: str = RUN) -> None:
        with self._lock:
            if task in self._waiting:
                return
            self._waiting.add(task)
        try:
            self._thread.submit(self._tell, task)
        except RuntimeError:  # the process ends
            return

    def close(self) -> None:
        """What still waits to be told is not; beat does without."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _tell(self, task: str) -> None:
        with self._lock:  # what happens from here on needs another hint
            self._waiting.discard(task)
        try:
            self._publish(task)
        except Exception as problem:
            log.warning("batch_hint_not_sent", task=task, error=f"{type(problem).__name__}: {problem}")
            self._connection = None

    def _publish(self, task: str) -> None:
        if self._connection is None:
            self._connection = Connection(self._url, transport_options=_OPTIONS)
        self._connection.ensure_connection(max_retries=0)
        task_id = str(uuid.uuid4())
        queue = Queue(QUEUE, Exchange(QUEUE), routing_key=QUEUE)
        with self._connection.channel() as channel:
            Producer(channel, serializer="json").publish(
                _BODY,
                exchange=queue.exchange,
                routing_key=QUEUE,
                declare=[queue],
                headers=_headers(task, task_id),
                correlation_id=task_id,
                retry=False,
            )


def _headers(task: str, task_id: str) -> dict[str, Any]:
    expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=EXPIRES_SECONDS)
    return {
        "lang": "py",
        "task": task,
        "id": task_id,
        "root_id": task_id,
        "expires": expires.isoformat(),
        "retries": 0,
        "timelimit": [None, None],
        "ignore_result": True,
    }
