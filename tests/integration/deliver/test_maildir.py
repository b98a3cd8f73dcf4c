"""Maildirs on a real file system."""

import stat
from pathlib import Path

import pytest

from gatepost.deliver.maildir import deliver

WIRE = [b"Subject: x\r\n\r\n..dot\r", b"\nend\r\n"]


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_message_lies_in_new_with_its_envelope(tmp_path: Path) -> None:
    """RFC 5321 section 4.4: final delivery adds Return-Path."""
    path = deliver(tmp_path, "Ann@b.test", WIRE, "s@a.test", message_id=1 << 40, n=1)
    assert path.parent == tmp_path / "b.test" / "ann" / "new"
    assert path.read_bytes() == (
        b"Return-Path: <s@a.test>\nDelivered-To: Ann@b.test\nSubject: x\n\n.dot\nend\n"
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "b.test" / "ann").stat().st_mode) & 0o077 == 0


def test_a_repeated_delivery_replaces_the_first(tmp_path: Path) -> None:
    """R2: a crash between delivery and its record makes no second copy."""
    for _ in range(2):
        deliver(tmp_path, "ann@b.test", WIRE, "", message_id=5, n=1)
    deliver(tmp_path, "ann@b.test", WIRE, "", message_id=5, n=2)
    assert len(files(tmp_path)) == 2


def test_a_content_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> object:
        yield b"Subject: half\r\n"
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk is gone"):
        deliver(tmp_path, "ann@b.test", broken(), "", message_id=5, n=1)  # type: ignore[arg-type]
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "address", ["../../../evil@b.test", "ann@../../evil", "/etc/passwd@b.test", ".@..", "a@"]
)
def test_no_address_writes_outside_the_root(tmp_path: Path, address: str) -> None:
    """Rule 25."""
    root = tmp_path / "deep" / "root"
    path = deliver(root, address, WIRE, "", message_id=5, n=1)
    assert root in path.resolve().parents
    assert files(tmp_path) == [str(path.relative_to(tmp_path))]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    first = deliver(tmp_path / "root", "ann@b.test", WIRE, "", message_id=5, n=1)
    first.unlink()
    (first.parent.parent / "tmp" / first.name).symlink_to(victim)
    with pytest.raises(OSError, match=r"[Ss]ymbolic|loop"):
        deliver(tmp_path / "root", "ann@b.test", WIRE, "", message_id=5, n=1)
    assert victim.read_text() == "precious"
