"""A descriptor that is kept for the moment when no other is left: with it a client can still be told so."""

import os
from collections.abc import Callable


class Spare:
    """One open descriptor of nothing."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._keep()

    def lend(self, use: Callable[[], object]) -> None:
        """Free the descriptor for `use`, which must give back what it opens; there may be none to lend."""
        if self._descriptor is None:
            self._keep()
        if self._descriptor is not None:
            self.close()
            try:
                use()
            finally:
                self._keep()

    def close(self) -> None:
        """Give it up."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _keep(self) -> None:
        try:
            self._descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # somebody else was faster: next time
            self._descriptor = None
