"""The command looks on where one answer of the gateway has not found enough."""

from gatepost.cli.trace import _found


class Pages:
    """A gateway whose answers are given; it notes what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def get(self, _where, **wanted):
        self.asked.append((wanted["limit"], wanted["before"]))
        return self.answers.pop(0)


def test_answers_without_finds_are_followed_until_there_are_enough():
    pages = Pages(
        {"messages": [], "next": "C"}, {"messages": ["a"], "next": "B"}, {"messages": ["b", "c"], "next": "A"}
    )
    assert _found(pages, {"limit": 3, "before": ""}) == {"messages": ["a", "b", "c"], "next": "A"}
    assert pages.asked == [(3, ""), (3, "C"), (2, "B")]


def test_the_end_of_the_past_ends_the_search():
    pages = Pages({"messages": ["a"], "next": "B"}, {"messages": [], "next": None})
    assert _found(pages, {"limit": 100, "before": ""}) == {"messages": ["a"], "next": None}
