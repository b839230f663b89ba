"""A container that only runs."""

from tocsin.lab.apps.container import enter


def main(arguments: list[str]) -> int:
    """Wait until stopped; the one argument is what `container.Given` says, as JSON."""
    container = enter(arguments[0])
    container.log.line("INFO", f"{container.app} started")
    container.ended.wait()
    return 0
