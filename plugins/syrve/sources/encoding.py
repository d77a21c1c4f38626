"""Finds out how a text file is encoded: declared, or detected where there is no doubt; otherwise the file is refused with what it may be.

UTF-8 and UTF-16 prove themselves. The old one-byte encodings do not: nearly any bytes are text in each of them, and what is likely for
Russian names is wrong for Greek ones. So one of them is taken only where it proves itself: by headings that are known in it and in no
other. For the rest charset-normalizer names what it may be, and the person states which.
"""

from __future__ import annotations

import codecs
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import IO

from syrve.sources.errors import UnusableSource

SAMPLE_BYTES = 1 << 18
_STEP_BYTES = 1 << 20
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CYRILLIC = ("cp1251", "koi8_r", "cp866", "mac_cyrillic", "iso8859_5")
_OTHERS = ("cp1252", "cp1250", "cp1254", "cp1253", "cp1257")
_SIBLINGS = {
    "cp1252": "iso8859_15",
    "cp1250": "iso8859_2",
    "cp1254": "iso8859_9",
    "cp1253": "iso8859_7",
    "cp1257": "iso8859_13",
}
"""The ISO encodings that share most letters with those of Windows: headings are often the same bytes in both, and rows are not."""
_HEAD_BYTES = 1 << 16
_HEAD_LINES = 20
_BETWEEN_HEADINGS = re.compile(r"[,;\t|\"]+")
_CERTAIN = math.log(1_000)
"""How much likelier the chosen encoding must be than the next one."""
_FREQUENCIES = dict(zip("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё", (
    109, 85, 80, 74, 67, 63, 55, 47, 45, 44, 35, 32, 30, 28, 26, 20, 19, 17, 17, 16, 16, 14, 12, 10, 9, 7, 6, 5, 4, 3, 3, 1, 1,
), strict=True))  # fmt: skip
_RARE, _FOREIGN, _ODD_CASE = 0.5, 0.05, 0.05
_USUAL_SIGNS = frozenset("«»„“”–—…№\u00a0€₽₸")


def find_encoding(
    file: IO[bytes], declared: str | None, recognized: Callable[[Sequence[str]], int] = lambda _: 0
) -> str:
    """Return the codec that decodes the whole file, and leave the file at its beginning; `recognized` counts known headings.

    Raises `UnusableSource`: not text, not what was declared (with the line), or in doubt (with what it may be).
    """
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    marked = next((codec for mark, codec in _MARKS if start.startswith(mark)), None)
    if declared and not (marked and declared.replace("_", "-").startswith("utf")):
        bad_line = _first_bad_line(file, declared)
        if bad_line:
            raise UnusableSource(
                f"line {bad_line} of the file is not {declared}, as the form states; state the encoding it has"
            )
        return declared
    codec = marked or _unmarked_unicode(file) or _one_byte(file, recognized)
    bad_line = _first_bad_line(file, codec)
    if bad_line:
        raise UnusableSource(
            f"line {bad_line} of the file is not {codec.removesuffix('-sig')}; state its encoding in the form"
        )
    return codec


def _first_bad_line(file: IO[bytes], codec: str) -> int | None:
    """Decode the whole file; return the line of the first bytes that are no text in this encoding."""
    file.seek(0)
    decoder, lines, before = codecs.getincrementaldecoder(codec)("strict"), 1, b""
    try:
        while piece := file.read(_STEP_BYTES):
            before = piece
            lines += decoder.decode(piece).count("\n")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        good = before[: error.start].count(b"\n") if before else 0
        return lines + good
    finally:
        file.seek(0)
    return None


def _unmarked_unicode(file: IO[bytes]) -> str | None:
    file.seek(0)
    sample = file.read(SAMPLE_BYTES)
    file.seek(0)
    if b"\0" in sample and len(sample) >= 4:
        even, odd = sample[::2].count(0), sample[1::2].count(0)
        if max(even, odd) * 10 >= len(sample) and min(even, odd) * 10 <= max(even, odd):
            return "utf-16-le" if odd > even else "utf-16-be"
    return None if _first_bad_line(file, "utf-8") else "utf-8"


def _one_byte(file: IO[bytes], recognized: Callable[[Sequence[str]], int]) -> str:
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    sample = _telling_lines(file)
    _refuse_damaged_utf_8(file, sample)
    proven = {codec: count for codec in (*_CYRILLIC, *_OTHERS) if (count := _headings_in(head, codec, recognized))}
    best = [codec for codec, count in proven.items() if count == max(proven.values())]
    if len(best) > 1:  # the small letters of some are the same, so they differ by the rows only
        ranked = sorted(((_likelihood(sample, codec) or -math.inf, codec) for codec in best), reverse=True)
        best = [ranked[0][1]] if ranked[0][0] - ranked[1][0] >= _CERTAIN else []
    if best and best[0] in _SIBLINGS:
        sibling = _SIBLINGS[best[0]]
        if _headings_in(head, sibling, recognized) == proven[best[0]]:
            best = _distinguished(_high_bytes(file), best[0], sibling)
    if best:
        return best[0]
    raise UnusableSource(
        f"the file is not UTF-8, and its encoding is in doubt{_guesses(sample)}: state the encoding in the form, or save it as UTF-8"
    )


def _high_bytes(file: IO[bytes]) -> bytes:
    """Return each byte of the file that is not ASCII, once."""
    found: set[int] = set()
    while piece := file.read(_STEP_BYTES):
        found.update(piece)
    file.seek(0)
    return bytes(sorted(each for each in found if each > 0x7F))


def _distinguished(high: bytes, *pair: str) -> list[str]:
    """Return the one of two encodings in which no byte that they read differently is a sign where the other has a letter; [] in doubt."""
    first, second = (high.decode(codec, "replace") for codec in pair)
    differ = [each for each in zip(first, second, strict=True) if each[0] != each[1]]
    likely = [
        codec
        for codec, read in zip(pair, zip(*differ, strict=True), strict=False)
        if all(each.isalpha() or each in _USUAL_SIGNS for each in read)
    ]
    return [pair[0]] if not differ else likely if len(likely) == 1 else []


def _refuse_damaged_utf_8(file: IO[bytes], sample: bytes) -> None:
    text = sample.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    if sum(not each.isascii() for each in text) - damaged >= damaged > 0:
        line = _first_bad_line(file, "utf-8")
        raise UnusableSource(
            f"line {line} of the file is damaged UTF-8: the file is cut or was put together; export it again"
        )


def _headings_in(head: bytes, codec: str, recognized: Callable[[Sequence[str]], int]) -> int:
    """Count the headings that are known if the first lines are decoded so; those in ASCII prove nothing."""
    try:
        lines = head.decode(codec, "ignore").splitlines()[:_HEAD_LINES]
        head.decode(codec)
    except UnicodeDecodeError:
        return 0
    counts = [recognized([part for part in _BETWEEN_HEADINGS.split(line) if not part.isascii()]) for line in lines]
    return max(counts, default=0)


def _guesses(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    matches = from_bytes(sample, cp_isolation=[*_CYRILLIC, *_OTHERS], threshold=0.8)
    named = {match.encoding for match in matches}
    guesses = sorted(each.replace("cp125", "windows-125") for each in named)[:6]
    return f"; it may be {', '.join(guesses)}" if guesses else ""


def _telling_lines(file: IO[bytes]) -> bytes:
    """Return the first lines that hold other than ASCII, for the beginning of a file may hold none."""
    found: list[bytes] = []
    size = 0
    while size < SAMPLE_BYTES // 4 and (line := file.readline(SAMPLE_BYTES)):
        if not line.isascii():
            found.append(line)
            size += len(line)
    file.seek(0)
    return b"".join(found)


def _likelihood(sample: bytes, codec: str) -> float | None:
    """Return the logarithm of how likely the letters are in Russian, None if the bytes are no text in this encoding."""
    try:
        text = sample.decode(codec)
    except UnicodeDecodeError:
        return None
    score, before = 0.0, ""
    for character in text:
        if not character.isascii():
            score += math.log(_weight(character, before) / 1_000)
        before = character
    return score


def _weight(character: str, before: str) -> float:
    if character in _USUAL_SIGNS:
        return 5.0
    if not character.isalpha():
        return _FOREIGN
    weight = _FREQUENCIES.get(character.lower(), _RARE if "CYRILLIC" in unicodedata.name(character, "") else _FOREIGN)
    is_odd = character.isupper() and before.isalpha() and before.islower()
    return weight * (_ODD_CASE if is_odd else 1.0)
