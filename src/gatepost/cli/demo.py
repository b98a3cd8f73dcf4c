"""Show the whole story on loopback."""

from gatepost.cli.frame import State, option, tr, verb


@verb(
    None,
    "demo",
    tr(
        "Run a gateway on loopback with servers that fail in each of the known ways, and send mail through it."
    ),
    "gatepost demo --for 60",
    params=[
        option("--for", "seconds", metavar="SECONDS", type=float, text=tr("Stop after so many seconds."))
    ],
)
def demo(state: State, seconds: float | None) -> int:
    """Run the demonstration."""
    from gatepost.demo import main  # noqa: PLC0415 - everything heavy starts here

    return main([*(["--for", f"{seconds:g}"] if seconds is not None else []), "--lang", state.language])
