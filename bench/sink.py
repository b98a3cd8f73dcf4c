"""The sink as a child process: built from sink.c, asked over its standard input."""

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).parent


def build(folder: Path) -> Path:
    """Compile the sink."""
    program = folder / "sink"
    subprocess.run(["gcc", "-O2", "-Wall", "-o", str(program), str(HERE / "sink.c")], check=True)
    return program


class Sink:
    """A running sink."""

    def __init__(self, program: Path, port: int) -> None:
        self.port = port
        self.process = subprocess.Popen(
            [str(program), str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == "ready"

    def _ask(self, command: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        found = json.loads(self.process.stdout.readline())
        assert isinstance(found, dict)
        return found

    def stat(self) -> dict[str, Any]:
        """Return the counters."""
        return self._ask("stat")

    def reset(self) -> None:
        """Clear the counters."""
        self._ask("reset")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)
