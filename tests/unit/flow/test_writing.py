"""What has happened is written down in the end, whatever the disk says meanwhile (fault matrix 18, 19, 61)."""

from gatepost.flow.writing import Writing
from gatepost.storage.interface import Change, ChangeRejected, StoreBroken, StoreFull


class Disk:
    """A store that answers as it is told."""

    def __init__(self):
        self.problem = None
        self.written = []

    def write(self, change, done=None):
        if self.problem is None:
            self.written.append(change)
        done(self.problem)


class Scene:
    def __init__(self):
        self.disk, self.said, self.told, self.halts = Disk(), [], [], 0
        self.writing = Writing(self.disk, self.halt, lambda event, **fields: self.said.append(event))

    def halt(self):
        self.halts += 1

    def write(self, change):
        self.writing.write(change, self.told.append)


FIRST, SECOND = Change(), Change(only_if_settled=True)


def test_what_finds_no_room_is_written_in_its_order_once_there_is_room():
    scene = Scene()
    scene.disk.problem = StoreFull("no room")
    scene.write(FIRST)
    scene.write(SECOND)
    scene.writing.again()
    assert (scene.told, scene.writing.waiting) == ([], 2)
    scene.disk.problem = None
    scene.writing.again()
    assert scene.disk.written == [FIRST, SECOND]
    assert (scene.told, scene.writing.waiting, scene.halts) == ([None, None], 0, 0)


def test_after_a_failed_sync_nothing_more_is_delivered():
    scene = Scene()
    scene.disk.problem = StoreBroken("a sync failed")
    scene.write(FIRST)
    assert scene.halts == 1
    assert scene.told == [scene.disk.problem]
    assert scene.writing.waiting == 0


def test_a_change_that_contradicts_the_store_is_said_and_not_tried_again():
    scene = Scene()
    scene.disk.problem = ChangeRejected("twice")
    scene.write(FIRST)
    assert scene.said == ["message.settle_failed"]
    assert scene.told == [scene.disk.problem]
    assert (scene.writing.waiting, scene.halts) == (0, 0)


def test_at_the_end_nobody_waits_for_a_disk_without_room():
    scene = Scene()
    scene.disk.problem = StoreFull("no room")
    scene.write(FIRST)
    scene.writing.stop()
    assert scene.told == [scene.disk.problem]
    assert scene.writing.waiting == 0
