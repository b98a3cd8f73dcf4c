"""What every command has in common: the options that it takes, how its help looks, how it says no.

Rule: exit codes are 0 done, 1 a negative answer, 2 wrong usage or settings, 3 gateway not reachable.
Rule: this module is imported by `gatepost --help`, so it imports nothing but click and the translations.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from gatepost.i18n import LANGUAGES, Translator, pick, translator

DONE, NEGATIVE, USAGE, UNREACHABLE = 0, 1, 2, 3
EVERYWHERE = ("--config", "--lang", "--json", "--url", "--help")


def tr(sentence: str) -> str:
    """Mark a sentence for translation where it is written; it is translated where it is shown."""
    return sentence


class Refusal(Exception):
    """The command cannot be done: one sentence with what to do, further lines where there are several problems."""

    def __init__(self, sentence: str, code: int, lines: Sequence[str] = (), **fields: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.lines = list(lines)
        self.fields = fields

    def text(self, translate: Translator) -> str:
        """Return the sentence in a language, with its lines below."""
        sentence = translate(self.sentence)
        return "\n".join([sentence.format(**self.fields) if self.fields else sentence, *self.lines])


@dataclass(slots=True)
class State:
    """What the options that stand everywhere say."""

    config: str | None = None
    lang: str = ""
    as_json: bool = False
    url: str = ""

    @property
    def language(self) -> str:
        """Return the language to speak."""
        return pick(self.lang or os.environ.get("GATEPOST_LANG", ""), os.environ)

    @property
    def say(self) -> Translator:
        """Return the translator of that language."""
        return translator(self.language)


def state_of(context: click.Context) -> State:
    """Return the state of a run."""
    root = context.find_root()
    if not isinstance(root.obj, State):
        root.obj = State(lang=_early_lang(root))
    return root.obj


def _early_lang(root: click.Context) -> str:
    """Return the language that the words of the command line ask for, which `--help` needs before they are read."""
    words: list[str] = root.meta.get("gatepost.words", [])
    return language_in(words)


def language_in(words: Sequence[str]) -> str:
    """Return the value of `--lang` among words, "" where there is none."""
    for number, word in enumerate(words):
        if word.startswith("--lang="):
            return word[7:]
        if word == "--lang" and number + 1 < len(words):
            return words[number + 1]
    return ""


def _keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    state = state_of(context)
    if value and option.name is not None:
        setattr(state, option.name, value)


def _everywhere() -> list[click.Parameter]:
    """Return the options that may stand before and after every command's name."""

    def option(*names: str, **more: Any) -> click.Option:
        return click.Option(names, callback=_keep, expose_value=False, **more)

    return [
        option("--config", metavar="FILE", help=tr("The settings file (else ./gatepost.toml).")),
        option("--lang", type=click.Choice(LANGUAGES), help=tr("The language (else that of LANG).")),
        option("--json", "as_json", is_flag=True, help=tr("Print JSON, for programs.")),
        option("--url", metavar="URL", help=tr("The gateway's address (else its control socket).")),
    ]


class _Help:
    """Help in the language of the user, with an example."""

    help: str | None
    params: list[click.Parameter]
    example: str = ""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage line."""
        pieces = self.collect_usage_pieces(ctx)  # type: ignore[attr-defined]
        formatter.write_usage(ctx.command_path, " ".join(pieces), state_of(ctx).say(tr("Usage:")) + " ")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command does."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(state_of(ctx).say(self.help or ""))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write its own options, then those that stand everywhere, then the example."""
        say = state_of(ctx).say
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        for param in self.get_params(ctx):  # type: ignore[attr-defined]
            record = param.get_help_record(ctx)
            if record is not None:
                entry = (record[0], say(getattr(param, "help", None) or ""))
                (shared if param.opts[0] in EVERYWHERE else own).append(entry)
        if own:
            with formatter.section(say(tr("Options"))):
                formatter.write_dl(own)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)
        with formatter.section(say(tr("Options of every command"))):
            formatter.write_dl(shared)
        if self.example:
            with formatter.section(say(tr("Example"))):
                for line in self.example.splitlines():
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return `--help` with words of ours."""
        option: click.Option | None = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.help = tr("Show this help.")
        return option


class Command(_Help, click.Command):
    """A command."""

    def __init__(self, *args: Any, example: str = "", **more: Any) -> None:
        super().__init__(*args, **more)
        self.params += _everywhere()
        self.example = example


class Group(_Help, click.Group):
    """A noun with its verbs."""

    def __init__(self, *args: Any, example: str = "", **more: Any) -> None:
        super().__init__(*args, **more)
        self.params += _everywhere()
        self.example = example

    def short_helps(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Return names and helps of the verbs."""
        found = []
        for name in self.list_commands(ctx):
            entry = self.get_command(ctx, name)
            found.append((name, (entry.help if entry is not None else "") or ""))
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the verbs do."""
        say = state_of(ctx).say
        with formatter.section(say(tr("Commands"))):
            formatter.write_dl([(name, say(text)) for name, text in self.short_helps(ctx)])


class LazyGroup(Group):
    """The root: its commands are imported when they are called, their helps are written here."""

    def __init__(self, *args: Any, table: dict[str, tuple[str, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in self._table:
            return None
        module, _, attribute = self._table[cmd_name][0].partition(":")
        found: click.Command = getattr(import_module(module), attribute)
        return found

    def short_helps(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Return names and helps without importing anything."""
        return [(name, entry[1]) for name, entry in self._table.items()]


def group(name: str, text: str, example: str) -> Group:
    """Return a noun."""
    return Group(name, help=text, example=example)


def verb(
    parent: Group | None, name: str, text: str, example: str, *, params: Sequence[click.Parameter] = ()
) -> Callable[[Callable[..., int | None]], Command]:
    """Return a decorator that makes a function a command; it gets the state first and returns the exit code."""

    def wrap(function: Callable[..., int | None]) -> Command:
        def run(**arguments: Any) -> int | None:
            return function(state_of(click.get_current_context()), **arguments)

        found = Command(name, callback=run, help=text, example=example, params=list(params))
        if parent is not None:
            parent.add_command(found)
        return found

    return wrap


def argument(name: str, **more: Any) -> click.Argument:
    """Return an argument."""
    return click.Argument([name], **more)


def option(*names: str, text: str, **more: Any) -> click.Option:
    """Return an option."""
    return click.Option(list(names), help=text, **more)


def flag(*names: str, text: str) -> click.Option:
    """Return a switch."""
    return click.Option(list(names), help=text, is_flag=True)


def dry_run() -> click.Option:
    """Return the switch that every changing command has."""
    return flag("--dry-run", text=tr("Only say what would happen."))
