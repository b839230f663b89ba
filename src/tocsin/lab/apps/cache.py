"""Redis, as much of it as a responder asks: PING, INFO, GET, SET, DBSIZE over its own protocol (RESP)."""

import socketserver
import threading
import time
from typing import ClassVar

from tocsin.lab.apps.container import Container, enter


class Handler(socketserver.StreamRequestHandler):
    """One client."""

    container: Container
    kept: ClassVar[dict[str, bytes]] = {}
    began = time.monotonic()

    def handle(self) -> None:
        """Answer command after command."""
        try:
            while words := self._command():
                self.wfile.write(self._answer([word.decode("utf-8", "replace") for word in words]))
        except (OSError, ValueError):
            return

    def _command(self) -> list[bytes]:
        head = self.rfile.readline().strip()
        if not head.startswith(b"*"):
            return head.split()
        words = []
        for _ in range(int(head[1:])):
            size = int(self.rfile.readline()[1:])
            words.append(self.rfile.read(size))
            self.rfile.read(2)
        return words

    def _answer(self, words: list[str]) -> bytes:
        verb = words[0].upper()
        if verb == "PING":
            return b"+PONG\r\n"
        if verb in ("CLIENT", "SELECT", "HELLO") or (verb == "SET" and len(words) > 2):
            if verb == "HELLO":
                return b"-NOPROTO unsupported protocol version\r\n"
            if verb == "SET":
                self.kept[words[1]] = words[2].encode()
            return b"+OK\r\n"
        if verb == "GET" and len(words) > 1:
            found = self.kept.get(words[1])
            return b"$-1\r\n" if found is None else _bulk(found)
        if verb == "DBSIZE":
            return b":%d\r\n" % len(self.kept)
        if verb == "INFO":
            used = int(self.container.trait("used_memory", 24_117_248))
            limit = int(self.container.trait("maxmemory", 268_435_456))
            lines = ["# Server", "redis_version:7.2.4", f"uptime_in_seconds:{int(time.monotonic() - self.began)}"]
            lines += ["# Clients", "connected_clients:7", "# Memory", f"used_memory:{used}", f"maxmemory:{limit}"]
            lines += ["maxmemory_policy:noeviction", "# Replication", "role:master", "connected_slaves:0"]
            return _bulk("\r\n".join(lines).encode() + b"\r\n")
        return f"-ERR unknown command '{words[0]}'\r\n".encode()


def _bulk(text: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(text), text)


class Server(socketserver.ThreadingTCPServer):
    """On the kubelet's socket."""

    daemon_threads = True


def main(arguments: list[str]) -> int:
    """Serve until stopped; the one argument is what `container.Given` says, as JSON."""
    container = enter(arguments[0])
    Handler.container = container
    server = Server(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = server.socket.__class__(fileno=container.given["descriptor"])
    container.log.line("INFO", "Ready to accept connections tcp")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    container.ended.wait()
    return 0
