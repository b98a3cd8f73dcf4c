"""A connector is validated with test recipients, and the result is kept (B9)."""

from pathlib import Path

from tests.support.browser import signed_in
from tests.support.certificates import unknown_issuer
from tests.support.gateway import GatewayProcess
from tests.support.peers import wait_until
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


def test_the_page_shows_every_step_of_every_validation_and_runs_it_again(tmp_path: Path) -> None:
    with FaultServer(rcpt="550 5.1.1 no such user") as server, GatewayProcess(tmp_path) as gateway:
        gateway.apply(CONNECTOR.format(port=server.port))
        browser = signed_in(gateway, "operator")
        assert "Nothing was validated yet." in browser.get("/validations")
        form = {"connector": "to-office", "recipients": "gone@contoso.example"}
        status, _, headers = browser.ask("POST", "/validations", form)
        assert (status, headers["location"]) == (303, "/validations?connector=to-office")
        shown = browser.get("/validations")
        assert "550 5.1.1" in shown
        assert "RCPT" in shown
        assert "Run it again" in shown
        status, shown, _ = browser.ask(
            "POST", "/validations", {**form, "recipients": "bob@elsewhere.example"}
        )
        assert status == 422
        assert "does not leave by the connector to-office" in shown
        viewer = signed_in(gateway, "viewer")
        assert viewer.ask("POST", "/validations", form)[0] == 403
        assert "Run it again" not in viewer.get("/validations")


def test_the_certificate_that_a_validation_saw_is_listed_and_the_mail_under_tls_is_counted(
    tmp_path: Path,
) -> None:
    """B7: seen in a probe, with its host, its verdict and the version of TLS; sent mail counts by that version."""
    certificate = unknown_issuer("127.0.0.1").write(tmp_path)
    with FaultServer(certificate=certificate) as server, GatewayProcess(tmp_path / "gateway") as gateway:
        gateway.apply(CONNECTOR.format(port=server.port))
        gateway.json("connector", "validate", "to-office", "--rcpt", "ann@contoso.example")
        (row,) = gateway.json("report", "certificates")["rows"]
        assert (row["connector"], row["side"], row["addresses"]) == (
            "to-office", "server", [f"127.0.0.1:{server.port}"]
        )  # fmt: skip
        assert row["verdict"] in ("UntrustedRoot", "SelfSigned")
        assert row["tls"].startswith("TLSv1.")
        assert row["fingerprint"] in signed_in(gateway).get("/certificates")
        gateway.send("bob@home.test", "ann@contoso.example")
        wait_until(lambda: server.messages, 60, 0.1, "the message at the server")
        found = wait_until(
            lambda: gateway.json("report", "tls")["rows"][1:] and gateway.json("report", "tls"), 60, 0.2
        )
        told = {(r["direction"], r["connector"], r["version"][:5]): r["recipients"] for r in found["rows"]}
        assert told == {("received", "", "clear"): 1, ("sent", "to-office", "TLSv1"): 1}
