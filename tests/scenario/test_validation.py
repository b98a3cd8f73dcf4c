"""A connector is validated with test recipients, and the result is kept (B9)."""

from pathlib import Path

from tests.support.gateway import GatewayProcess
from tests.support.smtp_server import FaultServer

CONNECTOR = """
[[connector]]
name = "to-office"
domains = ["contoso.example"]
smart_hosts = ["127.0.0.1:{port}"]
"""


def test_test_recipients_are_asked_about_a_test_message_is_taken_and_the_result_is_kept(
    tmp_path: Path,
) -> None:
    with (
        FaultServer(rcpt={"gone@contoso.example": "550 5.1.1 no such user"}) as server,
        GatewayProcess(tmp_path) as gateway,
    ):
        gateway.apply(CONNECTOR.format(port=server.port))
        ann = ("--rcpt", "ann@contoso.example")
        good = gateway.json("connector", "validate", "to-office", *ann, "--message")
        assert (good["ok"], [task["task"] for task in good["tasks"]]) == (True, ["check", "message"])
        (message,) = server.messages
        assert message.recipients == ["ann@contoso.example"]
        bad = gateway.run("connector", "validate", "to-office", *ann, "--rcpt", "gone@contoso.example")
        assert bad.returncode == 1
        assert "5.1.1" in bad.stdout
        kept = gateway.json("connector", "validate", "to-office", "--history")
        assert [one["ok"] for one in kept] == [False, True]
        elsewhere = gateway.run("connector", "validate", "to-office", "--rcpt", "bob@elsewhere.example")
        assert elsewhere.returncode != 0
        assert "does not leave by the connector to-office" in elsewhere.stderr
        assert len(server.messages) == 1
