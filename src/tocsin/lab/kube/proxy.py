"""One loopback port for each service, as kube-proxy gives it one address: connections go to a ready pod.

While no pod is ready the port is closed, so that a connection is refused, as it is in a cluster.
"""

import itertools
import select
import socket
import threading
from contextlib import suppress

CHUNK = 65_536


class Proxy:
    """The port of one service."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as first:
            self.port: int = first.getsockname()[1]
        self._targets: tuple[int, ...] = ()
        self._turn = itertools.count()
        self._listener: socket.socket | None = None

    def serve(self, targets: tuple[int, ...]) -> None:
        """From now on connections go to one of these loopback ports; with none they are refused."""
        self._targets = targets
        if targets and self._listener is None:
            with suppress(OSError):  # somebody else has the port for a moment: the next round tries again
                self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
                threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        elif not targets and self._listener is not None:
            listener, self._listener = self._listener, None
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        targets = self._targets
        with client:
            if not targets:
                return
            try:
                port = targets[next(self._turn) % len(targets)]
                with socket.create_connection(("127.0.0.1", port), timeout=5) as pod:
                    _pump(client, pod)
            except OSError:
                return


def _pump(client: socket.socket, pod: socket.socket) -> None:
    """Carry bytes both ways until either side has closed."""
    other = {client: pod, pod: client}
    while True:
        for source in select.select([client, pod], [], [])[0]:
            chunk = source.recv(CHUNK)
            if not chunk:
                return
            other[source].sendall(chunk)
