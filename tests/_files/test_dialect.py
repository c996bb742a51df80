import pytest

from skvae._files.dialect import find_dialect


@pytest.mark.parametrize(
    ("text", "delimiter", "quote"),
    [
        ("a,b\n1,2\n", ",", '"'),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";", '"'),
        ("1,5;2,5\n3,5;4,5\n", ";", '"'),  # no header
        ("a;b, c\n1;2\n3;4\n", ";", '"'),
        ("a\tb\nx, y\t1\nx, z\t2\n", "\t", '"'),
        ('a,b\n"x;y;z",1\n"x;y",2\n', ",", '"'),
        ("# a;b;c;d\n# e;f;g;h\nx,y\n1,2\n", ",", '"'),
        ("a|b\n'x, y'|1\n'x'|2\n'z'|3\n", "|", "'"),
        ("name\nO'Neil\nD'Arcy\n", ",", '"'),
        ("sep=|\na|b\n1|2\n", "|", '"'),
        ("a\n1\n2\n", ",", '"'),
        ('a,b\n1,"2\n', ",", '"'),  # a quote that never closes
    ],
)
def test_delimiter_and_quote(text, delimiter, quote):
    found = find_dialect(text.encode())
    assert (found.delimiter, found.quote) == (delimiter.encode(), quote.encode())


def test_last_line_of_the_head_may_be_incomplete():
    assert find_dialect(b"a,b\n" + b'"x",2\n' * 60_000).delimiter == b","
