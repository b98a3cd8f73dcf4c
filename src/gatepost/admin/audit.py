"""What people did, in one list: changes of objects, fixes, actions on mail, looks at the content of mail.

Rule: every look is written down, once for a caller, a message and a quarter of an hour; an export is one look.
"""

from collections.abc import Sequence

from gatepost.admin.answers.audit import KINDS, AuditEntry, LookJson
from gatepost.admin.answers.fixes import FixJson
from gatepost.admin.answers.messages import JobJson
from gatepost.admin.answers.objects import HistoryJson
from gatepost.admin.errors import Invalid, tr
from gatepost.admin.fixes import FixUseCases
from gatepost.admin.gateway import Gateway
from gatepost.admin.jobs import JobUseCases
from gatepost.admin.looks import Looks
from gatepost.admin.objects import ObjectUseCases
from gatepost.i18n import Translator


class AuditUseCases:
    """What can be asked about the past of the administration."""

    def __init__(
        self, gateway: Gateway, objects: ObjectUseCases, fixes: FixUseCases, jobs: JobUseCases
    ) -> None:
        self._looks = Looks(gateway)
        self._objects, self._fixes, self._jobs = objects, fixes, jobs

    async def looks(self, limit: int = 100) -> list[LookJson]:
        """Return who looked at the content of which mail, newest first."""
        return await self._looks.listed(limit)

    async def listed(self, say: Translator, limit: int = 100, kind: str = "") -> list[AuditEntry]:
        """Return what people did, newest first."""
        if kind not in ("", *KINDS):
            raise Invalid(tr('"{word}" is none of {choices}.'), word=kind, choices=", ".join(KINDS))
        found: list[AuditEntry] = []
        if kind in ("", "change"):
            found += [_change(entry) for entry in await self._objects.history(limit)]
        if kind in ("", "fix"):
            found += [_fix(fix) for fix in await self._fixes.listed(limit, say)]
        if kind in ("", "action"):
            jobs = await self._jobs.listed(limit, say)
            found += [_action(job) for job in jobs if not job["dry_run"]]
        if kind in ("", "look"):
            found += [_look(look) for look in await self._looks.listed(limit)]
        return _newest(found, limit)


def _newest(entries: Sequence[AuditEntry], limit: int) -> list[AuditEntry]:
    return sorted(entries, key=lambda entry: entry["at"], reverse=True)[:limit]


def _change(entry: HistoryJson) -> AuditEntry:
    what = "add" if entry["before"] is None else "remove" if entry["after"] is None else "change"
    return {
        "at": entry["at"],
        "who": entry["who"],
        "via": "",
        "kind": "change",
        "what": what,
        "subject": f"{entry['kind']} {entry['name']}",
        "reason": entry["what"],
        "reference": str(entry["revision"]),
    }


def _fix(fix: FixJson) -> AuditEntry:
    return {
        "at": fix["at"] or "",
        "who": fix["who"],
        "via": fix["via"],
        "kind": "fix",
        "what": fix["action"],
        "subject": fix["connector"],
        "reason": fix["reason"],
        "reference": fix["id"],
    }


def _action(job: JobJson) -> AuditEntry:
    return {
        "at": job["at"] or "",
        "who": job["who"],
        "via": job["via"],
        "kind": "action",
        "what": job["action"],
        "subject": job["filter"],
        "reason": job["reason"],
        "reference": job["id"],
    }


def _look(look: LookJson) -> AuditEntry:
    return {
        "at": look["at"],
        "who": look["who"],
        "via": "",
        "kind": "look",
        "what": look["what"],
        "subject": look["message"] or look["filter"],
        "reason": "",
        "reference": look["message"],
    }
