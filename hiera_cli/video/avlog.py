"""FFmpeg's own messages: caught while it works, never printed.

Some damage shows nowhere else: a decoder that conceals a broken slice raises nothing and marks
nothing, it only writes an error line.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import av.logging

Message = tuple[int, str, str]


@contextmanager
def caught_messages() -> Iterator[list[Message]]:
    """Collect the error lines that FFmpeg writes from this thread.

    Yields:
        a list of (level, context, text) that fills up inside the block; the context is the name
        of the demuxer or decoder, or empty.
    """
    _listen()
    with av.logging.Capture(local=True) as messages:
        yield messages


def _listen() -> None:
    """Route FFmpeg's error lines through PyAV, and those of other threads to nowhere.

    PyAV drops every line until a level is set. Lines from FFmpeg's own worker threads belong to
    no capture; PyAV gives them to the logger `libav`, which must not reach the terminal.
    """
    if av.logging.get_level() is None:
        logging.getLogger("libav").addHandler(logging.NullHandler())
        logging.getLogger("libav").propagate = False
        av.logging.set_skip_repeated(False)
        av.logging.set_level(av.logging.ERROR)
