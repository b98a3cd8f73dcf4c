"""What there is one of for each event loop, made when it is first asked for."""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


def one_for_each_loop(make: Callable[[AbstractEventLoop], T]) -> Callable[[AbstractEventLoop], T]:
    """Return the function that gives a loop its one; it goes with the loop."""
    made: WeakKeyDictionary[AbstractEventLoop, T] = WeakKeyDictionary()

    def of(loop: AbstractEventLoop) -> T:
        found = made.get(loop)
        if found is None:
            found = made[loop] = make(loop)
        return found

    return of
