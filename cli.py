"""The terminal door: python cli.py COMMAND …, over the same registries as the browser's."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

BAD_INPUT, STOPPED = 2, 130
STOPPED_WORDS = "cli.py: stopped"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the exit code is 0, 2 after one sentence on what was wrong, or 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot write λ or → gets a question mark
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        _commands()(arguments)
        print(end="", flush=True)
    except KeyboardInterrupt:
        print(STOPPED_WORDS, file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # the reader, such as head, has seen enough
        _drop_output()
    except OSError as error:
        if error.filename is None:
            _drop_output()
        return _refuse(
            f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
        )
    except (ValueError, MemoryError) as error:
        return _refuse(str(error) or "out of memory")
    return 0


def _commands() -> Callable[[Sequence[str] | None], None]:
    """The commands, loaded here because torch takes seconds, in which Ctrl-C deserves its answer too.

    While it loads, Ctrl-C ends the process at once: libraries make other errors of a KeyboardInterrupt.
    """

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        print(STOPPED_WORDS, file=sys.stderr, flush=True)
        os._exit(STOPPED)

    guarded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    guarded = guarded and threading.current_thread() is threading.main_thread()
    if guarded:
        signal.signal(signal.SIGINT, stop)
    try:
        from terminal.commands import run
    finally:
        if guarded:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    return run


def _refuse(sentence: str) -> int:
    print(f"cli.py: {' '.join(sentence.split())}", file=sys.stderr)
    return BAD_INPUT


def _drop_output() -> None:
    """Sends what standard output still holds nowhere, so that Python does not fail on it while it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    sys.exit(main())
