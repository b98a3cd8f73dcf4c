"""The manual of the command line, written from the commands: `docs/cli.md` (`python -m gatepost.cli.manual`)."""

import sys
from collections.abc import Iterator

import click

from gatepost.cli.frame import EVERYWHERE, State
from gatepost.cli.main import cli

_HEAD = """# Command line

This page is written from the commands (`python -m gatepost.cli.manual > docs/cli.md`); a test compares the two.

Commands that look and change go to the running gateway: through the control socket `control.sock` in its `data_dir`
(whoever may open it is the administrator), or by `--url` / `GATEPOST_URL` with a token in `GATEPOST_TOKEN`.

| exit code | meaning |
| --- | --- |
| 0 | yes, or done |
| 1 | a negative answer: not found, nothing matched, a check failed, somebody else was faster |
| 2 | wrong usage, wrong settings, not allowed |
| 3 | the gateway cannot be reached |

Errors go to standard error, in one sentence with what to do. `--dry-run` says what would happen, with counts, and
changes nothing. `--json` prints what the API answers, with everything that is not ASCII escaped (see `docs/api.md`);
without it, remote text is shown with control characters and bidi controls made visible. Where standard output is
no terminal, tables are plain text.

These options stand before or after every command's name: `--config FILE`, `--lang en|zh-CN` (else `GATEPOST_LANG`,
else the locale), `--json`, `--url URL`.

`gatepost apply` sends the objects of a file to the gateway. Files that it names (`recipients_file`, `tls_ca`) are read
by the command, beside the file. Plain passwords of logins are hashed by the gateway; `********` means "as it is".
"""


def manual() -> str:
    """Return the text of `docs/cli.md`."""
    context = click.Context(cli, info_name="gatepost", obj=State(lang="en"))
    return "\n".join([_HEAD, *_describe(context, cli)])


def _describe(context: click.Context, command: click.Command) -> Iterator[str]:
    """Yield the lines of a command and of those below it."""
    if command is not cli:
        yield f"## `{context.command_path}`\n"
        yield f"{command.help}\n"
        yield from _options(context, command)
        yield f"```sh\n{getattr(command, 'example', '')}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _describe(click.Context(below, parent=context, info_name=name), below)


def _options(context: click.Context, command: click.Command) -> Iterator[str]:
    pieces = [p for p in command.collect_usage_pieces(context) if p != "[OPTIONS]"]
    if pieces and not isinstance(command, click.Group):
        yield f"Arguments: `{' '.join(pieces)}`\n"
    own = [p for p in command.params if isinstance(p, click.Option) and p.opts[0] not in EVERYWHERE]
    for option in own:
        record = option.get_help_record(context)
        if record is not None:
            yield f"- `{record[0]}`: {option.help}"
    if own:
        yield ""


if __name__ == "__main__":
    sys.stdout.write(manual())
