"""The quick way through a plain text gives what the careful way gives, or leaves the text to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec_tools.formats import yolo_rows

_FILE = Path("a.txt")
_WORDS = st.one_of(
    st.text("0123456789.", max_size=12),
    st.sampled_from(["0", "19", "0.5", "0.123456", "1.", ".5", "0" * 12, "9" * 400, "0." + "3" * 30]),
)
_LINES = st.lists(_WORDS, max_size=8).map(" ".join)


@given(st.lists(_LINES, max_size=6).map("\n".join))
def test_a_plain_text_is_read_as_the_careful_way_reads_it(text: str) -> None:
    plain = yolo_rows._plain(text.encode())
    assert plain is None or plain == yolo_rows._careful(_FILE, text.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"0 0.5 0.5 0.1 1e-3\n",
        b"0 0.5 0.5 0.1 -0.1\n",
        b"0 0.5 0.5 0.1\n",
        b"0.0 0.5 0.5 0.1 0.1\n",
        b"0 0.5 0.5 0.1 0.1.1\n",
        b"0\t0.5 0.5 0.1 0.1\n",
        b"0 0.5 0.5 0.1 0.1\r\n",
        b"0 nan 0.5 0.1 0.1\n",
        b"0 0_1 0.5 0.1 0.1\n",
        b"\xef\xbb\xbf0 0.5 0.5 0.1 0.1\n",
        b"1234567890 0.5 0.5 0.1 0.1\n",
    ],
)
def test_what_is_not_plain_is_left_to_the_careful_way(data: bytes) -> None:
    assert yolo_rows._plain(data) is None


def test_boxes_in_decimals_are_plain() -> None:
    text = yolo_rows._plain(b"3 0.5 0.25 0.125 1\n\n 0 1 2 3 4 5\n")
    assert text is not None
    rows = (yolo_rows.Row(1, 3, (0.5, 0.25, 0.125, 1.0)), yolo_rows.Row(3, 0, (1.0, 2.0, 3.0, 4.0, 5.0)))
    assert text == yolo_rows.Text(2, rows, 3)
