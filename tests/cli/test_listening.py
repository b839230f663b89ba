"""The server's socket, before the server has it."""

from __future__ import annotations

import socket

import pytest

from tocsin.cli.serve import PortTaken, listen


def test_the_socket_says_tcp_so_that_answers_are_not_held_back() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # what asyncio looks at before it sets TCP_NODELAY


def test_a_taken_port_is_refused_with_the_remedy() -> None:
    with listen("127.0.0.1", 0) as listener:
        listener.listen()
        with pytest.raises(PortTaken, match="choose another with --port"):
            listen("127.0.0.1", listener.getsockname()[1])
