"""How the command line says no: one line on stderr, an exit code, never a traceback."""

from __future__ import annotations

import sys

REFUSED = 2
"""Exit code for arguments or settings that cannot be used."""
FAILED = 1
INTERRUPTED = 130


def complain(*lines: str, code: int = REFUSED) -> int:
    """Prints each line as `tocsin: ...` on stderr; gives the exit code back."""
    for line in lines:
        print(f"tocsin: {line}", file=sys.stderr)
    return code
