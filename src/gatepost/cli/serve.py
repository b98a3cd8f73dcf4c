"""Run the gateway."""

import os

from gatepost.cli.frame import State, tr, verb


@verb(
    None,
    "serve",
    tr("Run the gateway until SIGTERM; settings come from the file and GATEPOST_*."),
    "gatepost serve --config /etc/gatepost/gatepost.toml",
)
def serve(state: State) -> int:
    """Run the gateway."""
    from gatepost.app.main import main  # noqa: PLC0415 - everything heavy starts here

    return main(state.config, os.environ)
