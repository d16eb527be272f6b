"""Serving the centre: gunicorn in one process, threads for the streams.

One process, because SQLite is written by one; threads, because a waiting gate costs little more than its stack.
"""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from sync.server.app import centre_of, close_app, create_app
from sync.server.centre.settings import Settings

_READ_DEADLINE_S = 20
_LINGER_S = 1.0
_SPARE_THREADS = 64


class Worker(ThreadWorker):  # type: ignore[misc]
    """Threads, with a limit to how long a client may keep one waiting for a part of its request or take of its answer,
    and streams that end at once when the server stops."""

    def accept(self, listener: Any) -> None:
        listener.setsockopt(socket.SOL_TCP, socket.TCP_USER_TIMEOUT, _READ_DEADLINE_S * 1000)
        super().accept(listener)

    def enqueue_req(self, conn: Any) -> None:
        timeval = struct.pack("ll", _READ_DEADLINE_S, 0)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        result = super().handle(conn)
        if result is False:
            _linger(conn.sock)
        return result

    def handle_exit(self, sig: Any, frame: Any) -> None:
        centre_of(self.wsgi).wakes.close()
        super().handle_exit(sig, frame)


def _linger(sock: socket.socket) -> None:
    """Let the client read its answer to the end before the connection closes. gunicorn does that in the one thread that
    accepts, two seconds for each client that does not close: here it costs a worker thread, and that one finds nothing
    left to wait for."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(_LINGER_S)
        sock.recv(65_536)
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _not_slow(record: logging.LogRecord) -> bool:
    """Whether a log record is about anything but a client that was too slow, which is no fault of ours."""
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: Settings, options: dict[str, Any]):
        self._settings = settings
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:  # control_socket_disable came with gunicorn 25
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_app(self._settings)


class PortTaken(Exception):
    """Something else listens there, or the address is not ours; in words for the person who starts the centre."""


def _must_be_free(host: str, port: int) -> None:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except OSError as err:
        raise PortTaken(f"Cannot listen on {host} port {port}: {err.strerror or err}.") from err


def serve(settings: Settings, host: str, port: int, ready: Callable[[int], None], tls: tuple[str, str] | None) -> None:
    """Serve until SIGTERM or SIGINT. ``ready`` is called with the port once connections are accepted.

    ``tls`` is certificate and key file (PEM). Does not return: gunicorn ends the program. Raises PortTaken.
    """

    def when_ready(server: Any) -> None:
        ready(server.LISTENERS[0].sock.getsockname()[1])

    def worker_exit(_server: Any, worker: Any) -> None:
        close_app(worker.wsgi)

    _must_be_free(host, port)
    logging.getLogger("gunicorn.error").addFilter(_not_slow)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    options = {
        "bind": address, "worker_class": "sync.server.serve.Worker", "workers": 1, "preload_app": False,
        "threads": settings.streams + _SPARE_THREADS, "worker_connections": 2 * settings.streams + 4 * _SPARE_THREADS,
        "timeout": 60, "graceful_timeout": 3, "keepalive": 75, "limit_request_line": 2048, "limit_request_fields": 40,
        "limit_request_field_size": 4096, "when_ready": when_ready, "worker_exit": worker_exit, "loglevel": "warning",
        "proc_name": "centre", "control_socket_disable": True,
    }  # fmt: skip
    if tls is not None:
        options |= {"certfile": tls[0], "keyfile": tls[1]}
    _Server(settings, options).run()
