import bz2
import gzip
import lzma

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skvae._files.content import compress, decode, decompress

quickly = settings(max_examples=60, deadline=None)

TEXT = "a,b\n1,é€\n" * 20


@pytest.mark.parametrize("make", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_by_another(make):
    assert decompress("t", make(b"content")) == b"content"


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst", ""])
def test_compressed_and_back(suffix):
    if suffix == ".zst":
        pytest.importorskip("zstandard")
    packed = compress("t", TEXT.encode(), suffix)
    assert (len(packed) < len(TEXT.encode())) == bool(suffix)
    assert decompress("t", packed) == TEXT.encode()


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_broken_file_is_named(suffix):
    if suffix == ".zst":
        pytest.importorskip("zstandard")
    packed = compress("t", TEXT.encode(), suffix)
    with pytest.raises(ValueError, match=r"t\.csv is a broken \w+ file"):
        decompress("t.csv", packed[: len(packed) // 2])


@quickly
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_text_and_mark_are_the_content(text, encoding):
    content = text.encode(encoding)
    found, mark, known = decode("t", content)
    assert found.decode() == text.removeprefix("\ufeff" if encoding == "utf-8" else "")
    assert mark + found.decode().encode(known) == content


@quickly
@given(st.binary().filter(lambda content: b"\0" not in content))
def test_any_bytes_are_text_that_comes_back(content):
    try:
        text, mark, encoding = decode("t", content)
    except ValueError:  # such as half a character of UTF-16
        return
    assert mark + text.decode().encode(encoding) == content
