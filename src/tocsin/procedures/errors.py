"""Errors of this package.

RefusedError    the step must not run as asked: its words say why; running it again changes nothing
"""


class RefusedError(Exception):
    """A step, a value or a place in a command that must not be used."""
