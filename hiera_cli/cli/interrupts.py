"""Interrupts: how SIGINT and SIGTERM end the command line before, during and after a command.

A handler raises wherever Python happens to be. In a destructor, in the callback of a weak reference
(imports use those) and at a fork, what is raised is dropped, and the command would go on as if
nobody had asked; so `begin` also makes a dropped interrupt strike again. In native code that calls
back into Python, what is raised may come out as another error; so `struck` remembers it.
"""

import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

INTERRUPTED = 130
_AGAIN_SECONDS = 0.01
_struck = threading.Event()


def begin() -> None:
    """From now on an interrupt ends the process with `INTERRUPTED`."""
    signal.signal(signal.SIGINT, _leave)
    sys.unraisablehook = _strike_again


def enter_command() -> None:
    """From now on an interrupt raises KeyboardInterrupt, and a second one stops at once."""
    _struck.clear()
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)


def struck() -> bool:
    """Whether the command was interrupted, whatever came of it."""
    return _struck.is_set()


def leave_command() -> None:
    """Nothing is left that could be kept: stop at once."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _leave(_signal: int, _frame: Any) -> None:
    raise SystemExit(INTERRUPTED)


def _interrupt(_signal: int, _frame: Any) -> None:
    """First interrupt: finish what is being written. Second: stop now."""
    _struck.set()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise KeyboardInterrupt


def _strike_again(dropped: "UnraisableHookArgs") -> None:
    handlers = {KeyboardInterrupt: _interrupt, SystemExit: _leave}
    handler = handlers.get(dropped.exc_type)
    if handler is None or threading.current_thread() is not threading.main_thread():
        sys.__unraisablehook__(dropped)
        return
    signal.signal(signal.SIGINT, handler)
    again = threading.Timer(_AGAIN_SECONDS, _strike)
    again.daemon = True
    again.start()


def _strike() -> None:
    """Send the main thread a signal that also ends what it waits for."""
    if callable(signal.getsignal(signal.SIGINT)):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
