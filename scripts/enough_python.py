"""Says what to do when this Python is too old for Tocsin or cannot make a virtual environment."""

import importlib.util
import sys

if sys.version_info < (3, 11):  # noqa: UP036  it may well be run by an older one
    sys.exit("Tocsin needs Python 3.11 or newer; this is %d.%d: run make PYTHON=python3.11" % sys.version_info[:2])  # noqa: UP031  an old Python must be able to read this
if importlib.util.find_spec("ensurepip") is None:
    sys.exit("this Python has no venv: apt-get install python3-venv")
