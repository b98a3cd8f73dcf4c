"""The content of a message on its way in."""

from zlib import crc32

import pytest

from gatepost.receive.incoming import Incoming


@pytest.mark.parametrize("size", [0, 1, 5119, 5120, 5121, 10240, 20000])
def test_the_checksum_is_that_of_the_whole_content(size: int) -> None:
    incoming = Incoming(None, "ann@sender.example", 0, "")
    incoming.begin(1, b"Received: here\r\n")
    content = bytes(i % 251 for i in range(size))
    for start in range(0, size, 700):
        incoming.take(content[start : start + 700], 1 << 20, lambda number: pytest.fail(str(number)))
    body, crc = incoming.whole()
    assert body == b"Received: here\r\n" + content
    assert crc == crc32(body)
