"""A real Valkey cluster of three nodes from the embedded binary, each with a third of the slots and no replica."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import redis
from redis.crc import key_slot

from gateway.supervisor.program import Program
from gateway.supervisor.valkey import wheel_binary
from tests.outages.site import Store
from tests.ports import HIGHEST, free_port

SLOTS = 16_384
BUS = 10_000  # so far above its own port is the one that a node speaks to the others at
SETTINGS = {
    "bind": "127.0.0.1",
    "cluster-enabled": "yes",
    "cluster-config-file": "nodes.conf",
    "cluster-node-timeout": "2000",
    "cluster-require-full-coverage": "no",  # without one node the others go on
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "daemonize": "no",
    "enable-debug-command": "local",
}


class Node:
    """One server of the cluster, and what it can be made to suffer (`store`)."""

    def __init__(self, folder: Path, number: int) -> None:
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis(port=self.port, socket_timeout=5)
        data = folder / f"node{number}"
        data.mkdir(mode=0o700)
        settings = SETTINGS | {"port": str(self.port)}
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        self.store = Store(
            Program(
                name=f"node{number}",
                command=(str(wheel_binary()), *options),
                stack=folder,
                folder=data,
                private_folder=True,
                log=folder / f"node{number}.log",
                environment=os.environ,
                ready=self._answers,
            )
        )

    @property
    def id(self) -> str:
        return str(self.client.execute_command("CLUSTER MYID").decode())

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


class Cluster:
    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self.url = nodes[0].url

    def join(self) -> None:
        """The nodes meet, and share out the slots."""
        first, *others = self.nodes
        for node in others:
            first.client.execute_command("CLUSTER MEET", "127.0.0.1", node.port)
        size = -(-SLOTS // len(self.nodes))
        for number, node in enumerate(self.nodes):
            last = min((number + 1) * size, SLOTS) - 1
            node.client.execute_command("CLUSTER ADDSLOTSRANGE", number * size, last)
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """Each node knows of all, and who has each slot."""
        deadline = time.monotonic() + 20
        while not all(self._is_whole(node) for node in self.nodes):
            assert time.monotonic() < deadline, "the cluster does not come together"
            time.sleep(0.05)

    def _is_whole(self, node: Node) -> bool:
        told = node.client.execute_command("CLUSTER INFO")
        told = (
            told
            if isinstance(told, dict)
            else dict(line.split(":", 1) for line in told.decode().splitlines() if ":" in line)
        )
        return (told["cluster_state"], told["cluster_slots_ok"], told["cluster_known_nodes"]) == (
            "ok",
            str(SLOTS),
            str(len(self.nodes)),
        )

    def node_of(self, key: str) -> Node:
        """Who has the slot of this key now."""
        slot = key_slot(key.encode())
        for first, last, (_, port, *_), *_ in _slots(self.nodes[0]):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise AssertionError(f"nobody has slot {slot}")

    def move(self, key: str, to: Node) -> None:
        """The key's slot, with all that is in it, to another node."""
        slot, source = key_slot(key.encode()), self.node_of(key)
        _move_keys(slot, source, to)
        for node in (to, source, *self.nodes):
            node.client.execute_command("CLUSTER SETSLOT", slot, "NODE", to.id)

    @contextlib.contextmanager
    def moving(self, key: str) -> Iterator[None]:
        """The key's slot on its way to another node, which has its keys already; at the end it is there."""
        slot, source = key_slot(key.encode()), self.node_of(key)
        to = next(node for node in self.nodes if node is not source)
        _move_keys(slot, source, to)
        try:
            yield
        finally:
            self.move(key, to)

    def flush(self) -> None:
        for node in self.nodes:
            node.client.flushall()


@contextlib.contextmanager
def running_cluster(folder: Path, *, nodes: int = 3) -> Iterator[Cluster]:
    with contextlib.ExitStack() as stack:
        made = [Node(folder, number) for number in range(nodes)]
        for node in made:
            stack.callback(node.store.stop)
            node.store.start()
        cluster = Cluster(made)
        cluster.join()
        yield cluster


def _move_keys(slot: int, source: Node, to: Node) -> None:
    to.client.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", source.id)
    source.client.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", to.id)
    while keys := source.client.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
        source.client.execute_command("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", *keys)


def _slots(node: Node) -> list[list]:  # type: ignore[type-arg]
    raw = redis.Redis(port=node.port, socket_timeout=5)
    raw.response_callbacks.clear()
    return raw.execute_command("CLUSTER SLOTS")  # type: ignore[no-any-return]


def _free_port() -> int:
    """One whose cluster bus port is free too."""
    while True:
        port = free_port(HIGHEST - BUS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port + BUS)):
            return port
