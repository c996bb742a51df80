"""What a file holds: compressed or not, and text in which encoding.

The first bytes say it, whatever the file's name.
"""

import bz2
import codecs
import gzip
import importlib
import lzma
from typing import Any

SIGNATURES = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
}
COMPRESSED_SUFFIXES = {".gz": "gzip", ".zst": "zstd", ".bz2": "bzip2", ".xz": "xz"}
BYTE_ORDER_MARKS = {  # the longer ones first, as UTF-32 begins like UTF-16
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


CODE_PAGES = {"cp1252": "Windows-1252", "latin-1": "Latin-1"}  # tried in this order


def decompress(name, content):
    """Return the bytes that a compressed file holds, others as they are."""
    of = next((of for start, of in SIGNATURES.items() if content.startswith(start)), "")
    if not of:
        return content
    module = _module(name, of)
    try:
        return module.decompress(content)
    except Exception as error:  # each module has its own classes
        raise ValueError(f"{name} is a broken {of} file: {error}") from error


def compress(name, content, suffix):
    """Return bytes compressed as the last extension says; ``.csv`` leaves them."""
    of = COMPRESSED_SUFFIXES.get(suffix)
    if of is None:
        return content
    if of == "gzip":
        return gzip.compress(content, mtime=0)  # the same bytes at any time
    return _module(name, of).compress(content)


def require_zstd(name):
    """Raise an ImportError that says what to install, unless zstd can be read."""
    _zstd(name)


def decode(name, content):
    """Return text as UTF-8, and the byte order mark and encoding that it had.

    Parameters
    ----------
    name : str
        The file's name, for messages.

    content : bytes
        Text in UTF-8, in UTF-16 or UTF-32, or in a code page of one byte a character.

    Returns
    -------
    text : bytes
        In UTF-8, without byte order mark.

    mark : bytes
        The byte order mark.

    encoding : str
        ``mark + text.decode().encode(encoding)`` is `content`.
    """
    marks = (mark for mark in BYTE_ORDER_MARKS if content.startswith(mark))
    mark = next(marks, b"")
    body = content[len(mark) :]
    encoding = BYTE_ORDER_MARKS.get(mark) or _guess_encoding(body)
    for candidate in [encoding, *CODE_PAGES] if encoding == "utf-8" else [encoding]:
        try:
            text = body.decode(candidate).encode()
        except UnicodeDecodeError:
            continue
        if b"\0" in text:
            raise ValueError(f"{name} is not text, as it has bytes that are zero")
        return text, mark, candidate
    raise ValueError(f"{name} is not {encoding}, although it begins like that")


def first_undecodable(content):
    """Return the number of the first line that is not UTF-8, and its byte."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1, content[error.start]
    return None


def _guess_encoding(body):
    """Return the encoding of text without a mark: every second byte of UTF-16 is 0."""
    head = body[:1000]
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(head) > 3 and head[start::2].count(0) > 0.4 * len(head):
            return encoding
    return "utf-8"


def _module(name, of) -> Any:
    """Return what has `compress` and `decompress` for this kind of compression."""
    return {"gzip": gzip, "bzip2": bz2, "xz": lzma}.get(of) or _zstd(name)


def _zstd(name):
    for module in ("compression.zstd", "zstandard"):  # the first is of Python 3.14
        try:
            found = importlib.import_module(module)
        except ImportError:
            continue
        return _Zstandard(found) if module == "zstandard" else found
    raise ImportError(f'{name}: zstd needs zstandard: pip install "skvae[zstd]"')


class _Zstandard:
    """The package zstandard, with the two functions that Python 3.14 has."""

    def __init__(self, module):
        self.module = module

    def decompress(self, content):
        parts = []
        while content:
            frame = self.module.ZstdDecompressor().decompressobj()
            try:
                parts.append(frame.decompress(content))
            except self.module.ZstdError as error:
                raise ValueError(str(error)) from error
            if not frame.eof:
                raise ValueError("it ends too early")
            content = frame.unused_data
        return b"".join(parts)

    def compress(self, content):
        return self.module.ZstdCompressor().compress(content)
