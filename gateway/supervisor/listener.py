"""The listening socket. The supervisor holds it, so a web process that dies loses no waiting connection."""

from __future__ import annotations

import errno
import socket

import psutil

from gateway.supervisor.problem import StartProblem

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on `host`, `port`, or `StartProblem` saying why not and what to do."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as problem:
        raise StartProblem(f"HOST={host} is no address of this machine ({problem.strerror}).") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as problem:
        listener.close()
        raise StartProblem(_explained(host, port, problem)) from None
    return listener


def _explained(host: str, port: int, problem: OSError) -> str:
    if problem.errno == errno.EADDRINUSE:
        other = f"for instance `make up PORT={port + 1}`"
        return f"Port {port} on {host} is in use{_by_whom(port)}: stop that, or choose another, {other}."
    if problem.errno == errno.EACCES:
        return f"Port {port} is for root only: choose one above 1023, for instance `make up PORT=8000`."
    why = problem.strerror
    return f"Cannot listen on {host} port {port} ({why}): set HOST and PORT to an address of this machine."


def _by_whom(port: int) -> str:
    """Who holds the port, where the system tells us."""
    try:
        holders = [
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
            and tuple(connection.laddr)[1:2] == (port,)
            and connection.pid
        ]
        return f" by process {holders[0]} ({psutil.Process(holders[0]).name()})" if holders else ""
    except (psutil.Error, OSError):
        return ""
