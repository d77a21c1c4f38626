"""Finds out how a text file is encoded: declared, or detected where there is no doubt; otherwise the file is refused with what it may be.

UTF-8 and UTF-16 prove themselves. The old one-byte encodings do not: nearly any bytes are text in each of them. charset-normalizer names
those that are possible, and one of the Cyrillic ones is taken if its letters are so much more usual that the others are out of question.
"""

from __future__ import annotations

import codecs
import math
import unicodedata
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
_CERTAIN = math.log(1_000)
"""How much likelier the chosen encoding must be than the next one."""
_FREQUENCIES = dict(zip("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё", (
    109, 85, 80, 74, 67, 63, 55, 47, 45, 44, 35, 32, 30, 28, 26, 20, 19, 17, 17, 16, 16, 14, 12, 10, 9, 7, 6, 5, 4, 3, 3, 1, 1,
), strict=True))  # fmt: skip
_RARE, _FOREIGN, _ODD_CASE = 0.5, 0.05, 0.05
_USUAL_SIGNS = frozenset("«»„“”–—…№\u00a0€₽₸")


def find_encoding(file: IO[bytes], declared: str | None) -> str:
    """Return the codec that decodes the whole file, and leave the file at its beginning.

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
    codec = marked or _unmarked_unicode(file) or _one_byte(file)
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


def _one_byte(file: IO[bytes]) -> str:
    from charset_normalizer import from_bytes

    raw = file.read(SAMPLE_BYTES)
    file.seek(0)
    sample = _telling_lines(file) or raw
    matches = from_bytes(sample, cp_isolation=[*_CYRILLIC, *_OTHERS], threshold=0.8)
    named = {match.encoding for match in matches} | {each for match in matches for each in match.could_be_from_charset}
    scored = {codec: _likelihood(sample, codec) for codec in _CYRILLIC}
    possible = {codec: score for codec, score in scored.items() if score is not None and codec in named}
    ranked = sorted(((score, codec) for codec, score in scored.items() if score is not None), reverse=True)
    if possible and ranked[0][1] in possible and ranked[0][0] > -math.inf:
        best, runner_up = ranked[0], ranked[1] if len(ranked) > 1 else (-math.inf, "")
        if best[0] - runner_up[0] >= _CERTAIN and _is_cyrillic(sample.decode(best[1])):
            return best[1]
    guesses = ", ".join(sorted({codec.replace("cp125", "windows-125") for codec in [*possible, *named]})[:6])
    hint = f"; it may be {guesses}" if guesses else ""
    raise UnusableSource(
        f"the file is not UTF-8, and its encoding is in doubt{hint}: state the encoding in the form, or save it as UTF-8"
    )


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


def _is_cyrillic(text: str) -> bool:
    letters = [each for each in text if each.isalpha() and not each.isascii()]
    return bool(letters) and all("CYRILLIC" in unicodedata.name(each, "") for each in letters)
