"""What a new gateway needs: said on the overview until it has all of it, then no more."""

from types import SimpleNamespace

from gatepost.admin.pages.home import STEPS, first_steps


def gateway(**has):
    kinds = ("connectors", "domains", "sources", "channels")
    return SimpleNamespace(objects=SimpleNamespace(**{kind: has.get(kind, ()) for kind in kinds}))


def test_a_new_gateway_has_everything_before_it():
    steps = first_steps(gateway(), delivered=False)
    assert [step["where"] for step in steps] == [where for _name, _title, where in STEPS]
    assert not any(step["done"] for step in steps)


def test_what_is_there_is_done_and_the_rest_is_not():
    steps = first_steps(gateway(connectors=("to-office",), sources=("cloud",)), delivered=True)
    assert [step["done"] for step in steps] == [True, True, False, True, False]


def test_a_gateway_that_has_all_is_left_alone():
    full = gateway(connectors=("c",), domains=("d",), sources=("s",), channels=("h",))
    assert first_steps(full, delivered=True) == []
    assert len(first_steps(full, delivered=False)) == len(STEPS)
