"""Copies a source to a nameless temporary file, unpacked and bounded: it can be read twice, and is refused before a row lands."""

from __future__ import annotations

import tempfile
import zlib
from typing import IO

from syrve.sources.errors import UnreadableSource, UnusableSource
from syrve.sources.limits import Deadline, Limits

_STEP_BYTES = 1 << 20
_GZIP = 16 + zlib.MAX_WBITS


def spool(file: IO[bytes], *, unpack: bool, limits: Limits) -> IO[bytes]:
    """Copy a file that is open for reading, unpacking gzip where `unpack`; the caller closes the copy.

    Raises `UnusableSource` if it is too large, unpacks to too much or is no whole gzip file, `UnreadableSource` if its storage fails.
    """
    copy: IO[bytes] = tempfile.TemporaryFile(prefix="syrve-source-")  # noqa: SIM115 - handed to the caller
    try:
        unpacker = _Unpacker(copy, limits) if unpack else None
        deadline, taken = Deadline(limits), 0
        while piece := _read(file):
            deadline.check(0)
            taken += len(piece)
            if taken > limits.max_bytes:
                raise _too_large(limits)
            if unpacker:
                unpacker.feed(piece, taken)
            else:
                copy.write(piece)
        if unpacker:
            unpacker.finish()
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return copy


def _read(file: IO[bytes]) -> bytes:
    try:
        return file.read(_STEP_BYTES)
    except Exception as error:  # noqa: BLE001 - each storage has its own errors, whose texts may quote rows
        raise UnreadableSource(f"reading the file broke off ({type(error).__name__})") from None


def _too_large(limits: Limits) -> UnusableSource:
    return UnusableSource(f"the file is larger than {limits.max_bytes // 1_000_000:,} MB; divide it")


class _Unpacker:
    """Unpacks the members of a gzip file in small steps, so that no step takes more memory than its bound."""

    def __init__(self, copy: IO[bytes], limits: Limits) -> None:
        self._copy = copy
        self._limits = limits
        self._stream = zlib.decompressobj(_GZIP)
        self._is_begun = False
        self._written = 0

    def feed(self, piece: bytes, taken: int) -> None:
        try:
            while piece:
                if self._stream.eof:
                    if not piece.strip(b"\0"):
                        return
                    self._stream = zlib.decompressobj(_GZIP)
                self._is_begun = True
                self._write(self._stream.decompress(piece, _STEP_BYTES), taken)
                piece = self._stream.unconsumed_tail or self._stream.unused_data
        except zlib.error:
            raise UnusableSource("the file is not readable as .gz; pack it again") from None

    def finish(self) -> None:
        if not self._is_begun or not self._stream.eof:
            raise UnusableSource("the file is not readable as .gz: it is cut short; copy it again")

    def _write(self, data: bytes, taken: int) -> None:
        self._written += len(data)
        if self._written > self._limits.max_bytes:
            raise _too_large(self._limits)
        if self._written > self._limits.ratio_free_bytes and self._written > taken * self._limits.max_ratio:
            raise UnusableSource(
                f"the file unpacks to more than {self._limits.max_ratio} times its size; unpack it yourself and look at it"
            )
        self._copy.write(data)
