"""Observers of the journey: one that fails harms nobody."""

from gatepost.flow.observer import Several


class Broken:
    def recovered(self, lane):
        raise ValueError("oops")


class Good:
    heard = ()

    def recovered(self, lane):
        self.heard = (*self.heard, lane)


def test_what_one_observer_does_wrong_harms_neither_the_others_nor_the_mail():
    said = []
    several = Several(lambda event, **more: said.append((event, more["observer"])))
    good = Good()
    several.observers += [Broken(), good]
    several.recovered("lane")
    assert good.heard == ("lane",)
    assert said == [("observer.failed", "Broken")]
