"""The ``stratalog`` command as the wheel installs it."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Run the command line; returns its exit code."""
    from stratalog._stratalog import cli_main

    # Commands that only read never ask for signals: Ctrl-C ends them as it ends any program. So
    # it ends `unlock`, which the next one to lock the run finishes.
    # The others ask, and roll back; SIGTERM then is no different from Ctrl-C.
    writing = {"import", "import-ixmp4", "revert", "default", "regions", "units"}
    writes = bool(writing & set(sys.argv[1:]))
    if writes:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    else:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "SIGPIPE"):
        # The command itself handles a closed pipe.
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    return cli_main(sys.argv)
