"""The front end: a static page, and a health endpoint that says yes whatever happens behind it, as many do."""

import threading

from tocsin.lab.apps.container import enter
from tocsin.lab.apps.web import Application, Handler, Server


class Page(Handler):
    """A page for every address."""

    def do_GET(self) -> None:
        """Two hundred, always."""
        self._send(200, {"status": "UP", "requests": {}, "components": {"db": {"connections": 0}}})


def main(arguments: list[str]) -> int:
    """Serve until stopped; the one argument is what `container.Given` says, as JSON."""
    container = enter(arguments[0])
    Page.app = Application(container)
    server = Server(container.given["descriptor"])
    server.RequestHandlerClass = Page
    container.log.line("INFO", f"{container.app} serves its pages on :3000")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    container.ended.wait()
    return 0
