"""What is none of a caption's words is taken out, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcore.plain_text import plain_text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<p>Red boat &amp; lake &ndash; &quot;Quiet&quot;&nbsp;morning<br/>IMG_0000.JPG</p>",
         'Red boat & lake – "Quiet" morning'),
        ("red boat &#39;at&#39; https://www.example.com/0.html?utm_source=x", "red boat 'at'"),
        ("&lt;b&gt;two&lt;/b&gt; boats", "two boats"),
        ("a bo<b>a</b>t", "a boat"),
        ("one<div>two</div>three", "one two three"),
        ("see www.example.org/x for boats", "see for boats"),
        ("<script>var boat = 1;</script><style>p {}</style>lake", "lake"),
        ("<!-- hidden -->lake", "lake"),
        ("5 < 6 and 7 > 6", "5 < 6 and 7 > 6"),
        ("I <3 boats & lakes", "I <3 boats & lakes"),
        ("Tom & Jerry, R&D", "Tom & Jerry, R&D"),
        ("version 2.0 of a boat. Next", "version 2.0 of a boat. Next"),
        ("a\x00b\ufeff", "ab"),
        (" two\n words ", "two words"),
        ("http://only.example", ""),
    ],
)  # fmt: skip
def test_words(text: str, plain: str) -> None:
    assert plain_text(text) == plain


@given(st.text())
def test_it_is_one_line_and_says_no_more(text: str) -> None:
    found = plain_text(text)
    assert "\n" not in found
    assert plain_text("plain words") == "plain words"
