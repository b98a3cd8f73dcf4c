"""The entry point: find the command, run it, say what went wrong in one sentence."""

import os
import sys
from collections.abc import Sequence

import click

from gatepost.cli.frame import DONE, NEGATIVE, USAGE, LazyGroup, Refusal, State, language_in, tr
from gatepost.i18n import LANGUAGES, Translator, pick, translator

COMMANDS = {
    "serve": ("gatepost.cli.serve:serve", tr("Run the gateway.")),
    "demo": ("gatepost.cli.demo:demo", tr("Show the whole story on this machine, with servers that fail.")),
    "init": (
        "gatepost.cli.init:init",
        tr("Write a settings file, an example of objects, and the data folder."),
    ),
    "apply": ("gatepost.cli.apply:apply", tr("Make the connectors, domains and sources of a file true.")),
    "export": ("gatepost.cli.apply:export", tr("Write connectors, domains and sources as such a file.")),
    "connector": ("gatepost.cli.connector:connector", tr("How mail leaves: connectors.")),
    "domain": ("gatepost.cli.domain:domain", tr("Which domains are ours: accepted domains.")),
    "source": ("gatepost.cli.source:source", tr("Who may hand mail in: sources.")),
    "queue": ("gatepost.cli.queue:queue", tr("What waits where and why, and steering it.")),
    "message": ("gatepost.cli.message_actions:message", tr("Messages that wait: find, show, end, save.")),
    "job": ("gatepost.cli.job:job", tr("Actions on many messages: progress, stop, undo.")),
    "insight": (
        "gatepost.cli.insight:insight",
        tr("What is broken, since when, whose side it is, what to do."),
    ),
    "report": (
        "gatepost.cli.report:report",
        tr("What is queued, what was returned, how connectors and domains fare."),
    ),
    "fix": ("gatepost.cli.fix:fix", tr("What would help, what it would do, doing it, undoing it.")),
    "audit": ("gatepost.cli.audit:audit", tr("Who changed or looked at what, when, and why.")),
    "alert": ("gatepost.cli.alert:alert", tr("What fires, who was told, who looks after it.")),
    "policy": ("gatepost.cli.policy:policy", tr("When an alert is raised, and who hears of it.")),
    "channel": ("gatepost.cli.channel:channel", tr("Where notices of alerts go.")),
    "trace": ("gatepost.cli.trace:trace", tr("Messages of the past and present, and what became of them.")),
    "check": (
        "gatepost.cli.check:check",
        tr("Check a connector or a host, stage by stage; nothing is delivered."),
    ),
    "explain": ("gatepost.cli.explain:explain", tr("Explain any error, bounce or log of any mail system.")),
    "route": ("gatepost.cli.route:route", tr("Where an address goes, and why.")),
    "user": ("gatepost.cli.user:user", tr("Who may sign in to the admin centre.")),
    "token": ("gatepost.cli.token:token", tr("Tokens for programs that use the API.")),
    "ndr": ("gatepost.cli.ndr:ndr", tr("Reports to senders: how they look.")),
    "node": ("gatepost.cli.node:node", tr("The nodes of the gateway: what each listens to and uses.")),
    "doctor": ("gatepost.cli.doctor:doctor", tr("Look for what would stop mail on this machine.")),
}

cli = LazyGroup(
    "gatepost",
    help=tr("A mail gateway that knows why mail is stuck, says so, and fixes it."),
    example="gatepost init && gatepost serve\ngatepost queue list",
    table=COMMANDS,
)


def main(words: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit code."""
    words = list(sys.argv[1:] if words is None else words)
    asked = language_in(words) or os.environ.get("GATEPOST_LANG", "")
    say = translator(pick(asked if asked in LANGUAGES else "", os.environ))
    try:
        code = cli.main(words, "gatepost", standalone_mode=False, obj=State(lang=language_in(words)))
    except click.exceptions.NoArgsIsHelpError as problem:
        click.echo(problem.message, err=True)
        return USAGE
    except click.UsageError as problem:
        return _refuse(usage_sentence(problem, say), USAGE)
    except Refusal as problem:
        return _refuse(problem.text(say), problem.code)
    except (click.Abort, KeyboardInterrupt):
        return _refuse(say(tr("Stopped.")), NEGATIVE)
    except BrokenPipeError:
        # the reader of our output has gone, `| head`: that is no failure, but nothing can be flushed either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return code if isinstance(code, int) else DONE


def _refuse(sentence: str, code: int) -> int:
    click.echo(sentence, err=True)
    return code


def usage_sentence(problem: click.UsageError, say: Translator) -> str:
    """Return a usage error as one sentence with what to do."""
    path = problem.ctx.command_path if problem.ctx is not None else "gatepost"
    what = _what(problem, say)
    return what + " " + say(tr("See {command} --help.")).format(command=path)


def _what(problem: click.UsageError, say: Translator) -> str:
    if isinstance(problem, click.NoSuchOption):
        return say(tr("There is no option {name}.")).format(name=problem.option_name) + _near(problem, say)
    if isinstance(problem, click.BadOptionUsage):
        return say(tr("{name} needs a value, or takes none.")).format(name=problem.option_name)
    parameter = getattr(problem, "param", None)
    name = _name(parameter) if parameter is not None else ""
    if isinstance(problem, click.MissingParameter):
        return say(tr("{name} is missing.")).format(name=name)
    if isinstance(problem, click.BadParameter):
        kind = getattr(parameter, "type", None)
        if isinstance(kind, click.Choice):
            choices = ", ".join(str(choice) for choice in kind.choices)
            return say(tr("{name} must be one of {choices}.")).format(name=name, choices=choices)
        return say(tr("{name} is not right: {why}")).format(name=name, why=problem.message)
    unknown = getattr(problem, "command_name", "")
    if unknown:
        return say(tr("There is no command {name}.")).format(name=unknown) + _near(problem, say)
    return problem.message


def _near(problem: click.UsageError, say: Translator) -> str:
    names = getattr(problem, "possibilities", None)
    context = problem.ctx
    if not names and context is not None and isinstance(context.command, click.Group):
        import difflib  # noqa: PLC0415 - needed only where something is wrong already

        unknown = getattr(problem, "command_name", "")
        names = difflib.get_close_matches(unknown, context.command.list_commands(context), 1)
    return " " + say(tr("Did you mean {names}?")).format(names=", ".join(names)) if names else ""


def _name(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Argument):
        return parameter.make_metavar(click.Context(click.Command("_"))).strip("[].")
    return parameter.opts[0]


if __name__ == "__main__":
    sys.exit(main())
