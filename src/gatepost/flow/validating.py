"""Validate a connector with test recipients: can it be reached, and does it take mail for each of them (B9).

The tasks are those of the model system: a check as far as RCPT for every recipient, and where it is wanted a real test
message. The result is kept, so that "validated" is no claim that somebody typed.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from gatepost.flow.checking import Checking, CheckRequest
from gatepost.flow.journey import Journey
from gatepost.flow.mail_out import send_through
from gatepost.flow.probe_records import stage_json
from gatepost.model.document import Document
from gatepost.model.failure import iso
from gatepost.model.ids import to_text
from gatepost.model.objects import Connector
from gatepost.storage.interface import Change

VALIDATION = "validation"  # the kind of the documents
KEPT = 20  # of a connector

Json = dict[str, object]


class Validating:
    """Validates, and remembers."""

    def __init__(self, journey: Journey, checking: Checking) -> None:
        self._journey = journey
        self._checking = checking

    async def validate(self, requests: Sequence[CheckRequest], who: str, *, message: bool) -> Json:
        """Return what became of every task; `requests` are of one connector, one for each recipient."""
        connector = requests[0].connector
        tasks: list[Json] = []
        for request in requests:
            tasks.append(await self._check(request))
            if message:
                tasks.append(await self._message(connector, request))
        now, number = self._journey.now(), self._journey.world.new_id()
        result: Json = {
            "id": to_text(number), "at": iso(now), "connector": connector.name, "who": who,
            "ok": all(task["ok"] for task in tasks), "tasks": tasks,
        }  # fmt: skip
        await self._keep(connector.name, to_text(number), now, result)
        return result

    async def _check(self, request: CheckRequest) -> Json:
        found = await self._checking.check(request)
        error = found.last_error
        return {
            "task": "check", "recipient": request.recipient, "ok": found.ok, "working": found.working,
            "hosts": found.hosts, "result": error.text() if error is not None else "",
            "stages": [stage_json(stage._replace(evidence={})) for stage in found.stages],
        }  # fmt: skip

    async def _message(self, connector: Connector, request: CheckRequest) -> Json:
        settings = self._journey.world.settings
        sender = request.sender or settings.postmaster
        text = _message(sender, request.recipient, settings.hostname, connector.name, self._journey.now())
        sent = await send_through(self._journey, request.key, connector, sender, request.recipient, text)
        return {"task": "message", "recipient": request.recipient, "ok": sent.ok, "result": sent.words}

    async def _keep(self, name: str, number: str, now: int, result: Json) -> None:
        old = await self._journey.store.documents(VALIDATION, prefix=f"{name}/", limit=1000)
        gone = [Document(VALIDATION, d.key, 0, None) for d in old[KEPT - 1 :]]
        kept = Document(VALIDATION, f"{name}/{number}", now, result)
        self._journey.store.write(Change(documents=(kept, *gone)))

    async def kept(self, name: str = "", limit: int = KEPT) -> list[Mapping[str, object]]:
        """Return the latest validations of a connector, or of all, newest first."""
        prefix = f"{name}/" if name else ""
        found = await self._journey.store.documents(VALIDATION, prefix=prefix, limit=limit)
        return [document.data or {} for document in found]


def _message(sender: str, to: str, hostname: str, connector: str, now: int) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = sender, to
    message["Subject"] = f"Test message of the connector {connector}"
    message["Date"] = format_datetime(datetime.fromtimestamp(now / 1000, UTC))
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{hostname} validates its connector {connector}. Nothing has to be done.\n")
    return message.as_bytes()
