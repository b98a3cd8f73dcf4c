"""The documents name what there is."""

from pathlib import Path

from tests.support.fake_gateway import make

from gatepost.admin.api.app import make_app
from gatepost.cli.manual import manual

DOCS = Path(__file__).parents[3] / "docs"


def test_the_manual_of_the_command_line_is_current():
    """Run `python -m gatepost.cli.manual > docs/cli.md` where this fails."""
    assert (DOCS / "cli.md").read_text("utf-8") == manual()


def test_every_request_of_the_api_is_documented():
    text = (DOCS / "api.md").read_text("utf-8")
    _, service = make()
    paths = make_app(service).openapi()["paths"]
    missing = [f"{verb.upper()} {path}" for path, verbs in paths.items() for verb in verbs]
    assert [entry for entry in missing if f"`{entry}" not in text] == []
