"""A probe in words: one sentence that says what it means, and each stage's evidence in a few words (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from gatepost.admin.answers.checks import CheckJson, StageInWords
from gatepost.admin.errors import tr
from gatepost.diagnose import catalogue
from gatepost.i18n import translator
from gatepost.model.failure import FailureClass, Reason, clean

CUT = 300
SHOWN = 4
Stage = Mapping[str, Any]

# what stops mail, by stage and reason; "" stands for every other reason
PROBLEMS: dict[tuple[str, str], str] = {
    ("resolve", Reason.NXDOMAIN): tr("{target} does not exist in the DNS."),
    ("resolve", Reason.LOOP): tr("{target} is this gateway itself."),
    ("resolve", ""): tr("{target} cannot be looked up: {detail}."),
    ("connect", Reason.REFUSED): tr("{target} refuses the connection."),
    ("connect", Reason.TIMEOUT): tr("{target} does not answer."),
    ("connect", ""): tr("{target} cannot be reached: {detail}."),
    ("banner", Reason.REPLY): tr("{target} answers, but wants no mail from us: {detail}."),
    ("banner", Reason.TIMEOUT): tr("{target} takes the connection and says nothing."),
    ("banner", Reason.CLOSED): tr("{target} takes the connection and closes it at once."),
    ("banner", Reason.RESET): tr("{target} takes the connection and closes it at once."),
    ("banner", ""): tr("{target} takes the connection, but does not speak SMTP: {detail}."),
    ("ehlo", ""): tr("{target} answers, but not to our greeting: {detail}."),
    ("starttls", Reason.NOT_OFFERED): tr("{target} answers, but does not offer the TLS that is demanded."),
    ("starttls", ""): tr("{target} answers, but TLS cannot be set up: {detail}."),
    ("certificate", Reason.CERTIFICATE_EXPIRED): tr("{target} answers, but its certificate expired {ago}."),
    ("certificate", Reason.CERTIFICATE_NOT_YET_VALID): tr(
        "{target} answers, but its certificate is not valid yet."
    ),
    ("certificate", Reason.SUBJECT_MISMATCH): tr("{target} answers, but its certificate is for {names}."),
    ("certificate", Reason.SELF_SIGNED): tr("{target} answers, but its certificate is signed by itself."),
    ("certificate", Reason.UNTRUSTED_ROOT): tr(
        "{target} answers, but its certificate comes from a CA that is not trusted ({issuer})."
    ),
    ("certificate", ""): tr("{target} answers, but its certificate is not good: {detail}."),
    ("auth", ""): tr("{target} answers, but does not let us log in: {detail}."),
    ("mail", ""): tr("{target} answers, but refuses the sender: {detail}."),
    ("rcpt", ""): tr("{target} answers, but refuses the recipient: {detail}."),
    ("data", ""): tr("{target} answers, but does not take the message: {detail}."),
}


class CheckWords:
    """Says probes in a language."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.say = translator(lang)

    def with_words(self, result: Mapping[str, Any], to: str = "") -> CheckJson:
        """Return a result with its sentence, what to do, and each stage with its words."""
        words = {
            "sentence": self.sentence(result),
            "advice": self.advice(result, to),
            "stages": [self.stage(stage) for stage in result["stages"]],
        }
        return cast("CheckJson", {**result, **words})

    def stage(self, stage: Stage) -> StageInWords:
        """Return a stage with its evidence in a few words."""
        return cast("StageInWords", {**stage, "text": clean(self._evidence(stage), CUT)})

    # ---------------------------------------------------------------- the whole

    def sentence(self, result: Mapping[str, Any]) -> str:
        """Return what a probe means, in a sentence."""
        stages: Sequence[Stage] = result["stages"]
        failing = [stage for stage in stages if stage["verdict"] == "fail"]
        hosts, working = int(result["hosts"]), int(result["working"])
        if failing and not working:
            # a delivery's last error is that of the last address that was tried
            why = self.problem(failing[-1])
            if hosts < 2:
                return why
            return self._two(tr("None of {hosts} addresses takes mail."), why, hosts=hosts)
        if failing:
            text = tr("{working} of {hosts} addresses take mail.")
            if working == hosts:
                text = tr("Mail goes, but not by every host.")
            return self._two(text, self.problem(failing[0]), working=working, hosts=hosts)
        remarks = [
            said for stage in stages if stage["verdict"] == "warning" and (said := self._remark(stage))
        ]
        return remarks[0] if remarks else self._good(stages, hosts)

    def _two(self, first: str, second: str, **values: object) -> str:
        blank = "" if self.lang == "zh-CN" else " "
        return self.say(first).format(**values) + blank + second

    def _good(self, stages: Sequence[Stage], hosts: int) -> str:
        if hosts > 1:
            return self.say(tr("All {hosts} addresses take mail.")).format(hosts=hosts)
        target = next((str(s["target"]) for s in stages if s["stage"] == "connect"), "")
        return self.say(tr("{target} takes mail.")).format(target=target)

    def problem(self, stage: Stage) -> str:
        """Return what stops mail at a stage, in a sentence."""
        error = stage["evidence"].get("error") or {}
        name = str(stage["stage"])
        found = PROBLEMS.get((name, str(error.get("reason", "")))) or PROBLEMS[name, ""]
        return self.say(found).format(**self._values(stage))

    def _remark(self, stage: Stage) -> str:
        evidence = stage["evidence"]
        if stage["stage"] == "starttls":
            text = tr("{target} takes mail, but in clear text: {detail}.")
        elif stage["stage"] == "certificate" and evidence.get("verdict"):
            text = tr(
                "{target} takes mail, but a connector that looks at certificates would refuse it: {why}."
            )
        elif stage["stage"] == "certificate":
            text = tr("{target} takes mail, but its certificate expires {ahead}.")
        else:
            return ""
        return self.say(text).format(**self._values(stage))

    def advice(self, result: Mapping[str, Any], to: str) -> str:
        """Return what would help, "" where nothing has to."""
        error = result.get("last_error")
        if not error:
            return ""
        said = catalogue.explain(
            FailureClass(error["class"]), self.lang, to=to, server=str(error["server"]),
            connector=str(result.get("connector", "")),
        )  # fmt: skip
        return said.fixes[0].text if said.fixes else ""

    # ---------------------------------------------------------------- one stage

    def _values(self, stage: Stage) -> dict[str, object]:
        evidence = stage["evidence"]
        chain = evidence.get("chain") or [{}]
        days = int(evidence.get("days_left", 0))
        return {
            "target": stage["target"],
            "detail": clean(str(evidence.get("detail") or evidence.get("reply") or ""), CUT).rstrip("."),
            "why": clean(str(evidence.get("verdict", "")), CUT),
            "names": clean(", ".join(chain[0].get("names", ())[:SHOWN]) or "-", CUT),
            "issuer": clean(str(chain[0].get("issuer", "")), CUT),
            "ago": self._days_ago(-days - 1),
            "ahead": self._days_ahead(days),
        }

    def _days_ago(self, days: int) -> str:
        if days < 1:
            return self.say(tr("less than a day ago"))
        text = tr("1 day ago") if days == 1 else tr("{n} days ago")
        return self.say(text).format(n=days)

    def _days_ahead(self, days: int) -> str:
        if days < 1:
            return self.say(tr("within a day"))
        text = tr("in 1 day") if days == 1 else tr("in {n} days")
        return self.say(text).format(n=days)

    def _evidence(self, stage: Stage) -> str:
        evidence = stage["evidence"]
        name = stage["stage"]
        if stage["verdict"] == "fail":
            return str(evidence.get("detail", ""))
        if name == "resolve":
            return self._addresses(evidence)
        if name == "starttls":
            return self._tls(evidence)
        if name == "certificate":
            return self._certificate(evidence)
        return str(
            evidence.get("banner") or evidence.get("reply") or evidence.get("user")
            or ", ".join(list(evidence.get("offers", ()))[1:])
        )  # fmt: skip

    def _addresses(self, evidence: Mapping[str, Any]) -> str:
        found = ", ".join(evidence.get("addresses", ()))
        if "ttl" not in evidence:
            return found
        return self.say(tr("{addresses} (valid for {ttl} s)")).format(addresses=found, ttl=evidence["ttl"])

    def _tls(self, evidence: Mapping[str, Any]) -> str:
        if evidence.get("version"):
            return f"{evidence['version']} {evidence['cipher']}"
        why = evidence.get("detail") or evidence.get("reply")
        if why:
            return self.say(tr("in clear text: {why}")).format(why=why)
        return self.say(tr("not offered: mail goes in clear text"))

    def _certificate(self, evidence: Mapping[str, Any]) -> str:
        chain = evidence.get("chain")
        if not chain:
            return ""
        text = tr("{subject}, until {date} ({ahead})")
        if evidence.get("days_left", 0) < 0:
            text = tr("{subject}, until {date} ({ago})")
        days = int(evidence.get("days_left", 0))
        said = self.say(text).format(
            subject=chain[0]["subject"], date=evidence["expires_at"][:10], ago=self._days_ago(-days - 1),
            ahead=self._days_ahead(days),
        )  # fmt: skip
        refused = [f"{mode}: {token}" for mode, token in (evidence.get("modes") or {}).items() if token]
        if not refused:
            return said
        return said + "; " + self.say(tr("would be refused with {modes}")).format(modes=", ".join(refused))
