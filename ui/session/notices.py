"""What goes wrong, told calmly: one sentence for the visitor, the traceback for the server's log."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

_LOG = logging.getLogger("unfool")
_NOTICES = "notices"
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~$:-])")
UNEXPECTED = "Something unexpected went wrong. What you had is still there; the server's log has the details."


@contextmanager
def calmly() -> Iterator[None]:
    """Within it, a ``ValueError`` becomes the sentence it carries, all else a calm one and a log entry."""
    try:
        yield
    except ValueError as error:
        st.error(sentence(error), icon=":material/error:")
    except Exception:
        _LOG.exception("A page failed")
        st.error(UNEXPECTED, icon=":material/error:")


def sentence(error: ValueError) -> str:
    """The error's message as a sentence; one that begins with a file's name keeps it as it is."""
    message = str(error).strip() or "That did not work"
    if message.split()[0].isalpha():
        message = message[0].upper() + message[1:]
    return message if message[-1] in ".!?" else f"{message}."


def plain(text: str) -> str:
    """``text`` with nothing in it that Markdown would take for markup."""
    return _MARKUP.sub(r"\\\1", text)


def notice(text: str) -> None:
    """Has ``text`` shown above the page in this run or, when this run ends early, in the next one."""
    st.session_state.setdefault(_NOTICES, []).append(text)


def show_notices() -> None:
    """Shows what has gathered, once."""
    for text in st.session_state.pop(_NOTICES, []):
        st.warning(text, icon=":material/info:")
