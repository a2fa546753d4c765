"""One file from the network into torch.hub's folder: whole and with the right checksum, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import closing
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen
from uuid import uuid4

import torch

from classifiers.base import ClassifierError, Progress
from classifiers.weights import MAX_BYTES, sha256

CONNECT_SECONDS = 6.0
"""Longest wait for an answer, name look-up included."""
STALL_SECONDS = 20.0
"""Longest wait for the next bytes."""
_PIECE = 256 * 1024


def checkpoint_path(url: str) -> Path:
    """Where torch.hub keeps the file at ``url``; it need not be there."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name


def fetch_checkpoint(url: str, what: str, progress: Progress | None = None) -> tuple[Path, str]:
    """The file at ``url`` on this machine and its sha256, downloaded if it is not there or damaged.

    As in torch.hub, the file's name ends in the beginning of its checksum: ``resnet18-f37072fd.pth``.

    Args:
        url: http or https.
        what: how sentences call it.
        progress: called with bytes (done, total); whatever it raises stops the download.

    Raises:
        ClassifierError: no network, wrong checksum, no space. Nothing half-downloaded is left behind.
    """
    path = checkpoint_path(url)
    checksum = torch.hub.HASH_REGEX.search(path.name)
    if not checksum or len(checksum[1]) < 8:
        raise ClassifierError(f"{what} cannot be loaded: {path.name} names no checksum")
    return fetch_file(url, path, what, progress, checksum=checksum[1])


def fetch_file(
    url: str, path: Path, what: str, progress: Progress | None = None, *, checksum: str = ""
) -> tuple[Path, str]:
    """The file at ``url`` as ``path`` and its sha256, downloaded if it is not there or damaged.

    Args:
        url: http or https.
        path: where it is kept.
        what: how sentences call it.
        progress: as for ``fetch_checkpoint``.
        checksum: what its sha256 begins with; where there is none, a file of the right length is taken.

    Raises:
        ClassifierError: as ``fetch_checkpoint``.
    """
    try:
        if path.is_file() and (digest := sha256(path)).startswith(checksum):
            return path, digest
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{uuid4().hex}.part")
        try:
            done = 0
            with part.open("xb") as file, closing(_pieces(url, what)) as pieces:
                for piece, total in pieces:
                    file.write(piece)
                    done += len(piece)
                    if progress:
                        progress(done, total)
            digest = sha256(part)
            if not digest.startswith(checksum):
                raise ClassifierError(f"The download of {what} has a wrong checksum and was thrown away")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ClassifierError(f"The weights of {what} cannot be kept in {path.parent} ({reason})") from None
    return path, digest


def _pieces(url: str, what: str) -> Generator[tuple[bytes, int], None, None]:
    """The file at ``url`` piece by piece, each with the length of the whole in bytes, or 0 if unknown."""
    host = urlsplit(url).hostname
    done = total = 0
    try:
        with _connect(url) as answer:
            total = int(answer.headers.get("Content-Length") or 0)
            while piece := answer.read(_PIECE):
                done += len(piece)
                if done > MAX_BYTES:
                    raise ClassifierError(f"The download of {what} is over {MAX_BYTES / 1e6:.0f} MB")
                yield piece, total
    except HTTPError as error:
        raise ClassifierError(f"The weights of {what} cannot be had: {host} answers {error.code}") from None
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, ClassifierError):
            raise
        if done:
            raise ClassifierError(_broken_off(what, done, total)) from None
        raise ClassifierError(
            f"{what} needs its weights from {host} on first use, but there is no connection: {_reason(error)}"
        ) from None
    if done < total:
        raise ClassifierError(_broken_off(what, done, total))


def _connect(url: str) -> HTTPResponse:
    """An open answer from ``url``, or TimeoutError after ``CONNECT_SECONDS``.

    In a thread, because looking up a name has no time limit of its own.
    """
    future: Future[HTTPResponse] = Future()

    def ask() -> None:
        try:
            request = Request(url, headers={"User-Agent": "unfool"})
            future.set_result(urlopen(request, timeout=STALL_SECONDS))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        return future.result(CONNECT_SECONDS)
    except TimeoutError:
        future.add_done_callback(_close_late)
        raise


def _close_late(future: Future[HTTPResponse]) -> None:
    if future.exception() is None:
        future.result().close()


def _broken_off(what: str, done: int, total: int) -> str:
    of_total = f" of {total / 1e6:.1f}" if total else ""
    return f"The download of {what} broke off after {done / 1e6:.1f}{of_total} MB"


def _reason(error: Exception) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return " ".join(text.split())[:100]
