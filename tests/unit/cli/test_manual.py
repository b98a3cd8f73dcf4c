"""The documents name what there is."""

from pathlib import Path

from tests.support.fake_gateway import make

from gatepost.admin.api.app import make_app
from gatepost.admin.api.manual import manual as reference
from gatepost.cli.manual import manual

DOCS = Path(__file__).parents[3] / "docs"


def test_the_manual_of_the_command_line_is_current():
    """Run `python -m gatepost.cli.manual > docs/cli.md` where this fails."""
    assert (DOCS / "cli.md").read_text("utf-8") == manual()


def test_the_reference_of_the_api_is_current():
    """Run `python -m gatepost.admin.api.manual > docs/api-reference.md` where this fails."""
    assert (DOCS / "api-reference.md").read_text("utf-8") == reference()


def test_every_request_of_the_api_is_documented_once():
    text = reference()
    _, service = make()
    paths = make_app(service).openapi()["paths"]
    calls = [f"### `{verb.upper()} {path}`\n" for path, verbs in paths.items() for verb in verbs]
    assert [call for call in calls if text.count(call) != 1] == []
