"""Fixes as people and programs use them: offers, preview, apply, undo, what was applied (B4, R14, R17)."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from gatepost.admin.answers.checks import ProbeJson
from gatepost.admin.answers.fixes import (
    AppliedJson,
    BeforeAfter,
    FixAnswer,
    FixDetail,
    FixJson,
    OfferJson,
    PlanJson,
    PreviewJson,
)
from gatepost.admin.auth import Caller
from gatepost.admin.checks import CheckUseCases, out_of_bounds
from gatepost.admin.errors import Conflict, Invalid, NotFound, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.shapes import Json, connectors_of, destination_name, effect_json, when
from gatepost.fix.actions import ACTIONS, QUEUE_ACTIONS
from gatepost.fix.edit import BadFix, Target
from gatepost.fix.offers import offers
from gatepost.flow.checking import CheckRequest, NotAllowed
from gatepost.flow.fixing import Asked, target_of
from gatepost.flow.probe_records import probe_json
from gatepost.i18n import Translator
from gatepost.model.evidence import Because
from gatepost.model.fix import AppliedFix, Offer, Preview
from gatepost.model.foreign import system_of
from gatepost.model.ids import to_text
from gatepost.storage.interface import RevisionConflict


class FixUseCases:
    """What can be asked of and done with fixes."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._checks = CheckUseCases(gateway)

    async def target(self, text: str) -> Target:
        """Return what a fix is for: an insight (its id), a connector (its name) or a destination (its number)."""
        gateway = self._gateway
        found = gateway.fix_target(text)
        if found is not None:
            return found
        if any(c.name == text for c in gateway.objects.connectors):
            return Target(text)
        if text.isdecimal():
            for summary in await gateway.store.destinations(gateway.expiry_of):
                if summary.state.id == int(text):
                    return Target(summary.state.connector, summary.state.id)
        raise NotFound(
            tr('"{text}" is no insight, connector or destination: see gatepost insight list.'), text=text
        )

    async def plan(self, text: str, say: Translator) -> PlanJson:
        """Return which fixes fit, the likeliest to help first."""
        target = await self.target(text)
        if system_of(target.connector):  # nothing of ours would mend a foreign system
            return {
                "target": text, "connector": target.connector, "destination": "", "class": target.failure_class,
                "messages": 0, "offers": [],
            }  # fmt: skip
        situation, ranked = await self._gateway.fix_situation(target)
        found = offers(situation, ranked)
        return {
            "target": text,
            "connector": target.connector,
            "destination": self._destination(target),
            "class": situation.failure_class,
            "messages": situation.waiting,
            "offers": [offer_json(offer, text, say) for offer in found],
        }

    def _destination(self, target: Target) -> str:
        live = self._gateway.live().get(target.destination_id)
        return destination_name(live, connectors_of(self._gateway.objects)) if live is not None else ""

    async def parameters(self, text: str, action: str, given: Mapping[str, object]) -> Json:
        """Return the parameters of a fix: those that were given over those that we would choose."""
        target = await self.target(text)
        situation, ranked = await self._gateway.fix_situation(target)
        chosen = next((o.parameters for o in offers(situation, ranked) if o.action == action), {})
        return {**chosen, **given}

    async def apply(  # noqa: PLR0913 - what people give: which fix, for what, why, from where
        self,
        text: str,
        action: str,
        given: Mapping[str, object],
        caller: Caller,
        say: Translator,
        *,
        via: str,
        reason: str,
        dry_run: bool,
        typed: str | None = None,
        probe: bool = False,
    ) -> AppliedJson:
        """Apply a fix, or say exactly what it would do; who changes objects must be an administrator."""
        if not dry_run:
            caller.need(scope_of(action))
        target = await self.target(text)
        parameters = await self.parameters(text, action, given)
        asked = Asked(target, action, parameters, caller.name, via, reason[:500])
        try:
            if dry_run:
                preview = preview_json(await self._gateway.fixing.preview(asked), say)
                found: AppliedJson = {"dry_run": True, "preview": preview}
                return {**found, "probe": await self._probe(asked, caller)} if probe else found
            if typed is not None:
                await self._agreed(asked, typed)
            fix = await self._gateway.fixing.apply(asked)
        except BadFix as problem:
            raise Invalid(problem.text, (), **problem.values) from None
        except RevisionConflict as problem:
            raise Conflict(
                tr("The objects were changed meanwhile (revision {found}, not {expected}): look again."),
                found=problem.found,
                expected=problem.expected,
            ) from None
        return {"dry_run": False, "fix": fix_json(fix, say), "preview": preview_json(fix.preview, say)}

    async def _probe(self, asked: Asked, caller: Caller) -> ProbeJson | None:
        """Return what a probe of the connector sees as the fix would make it; None where it would go nowhere."""
        candidate = self._gateway.fixing.candidate(asked)
        if candidate is None:
            return None
        live = self._gateway.live().get(asked.target.destination_id)
        request = CheckRequest(
            candidate, "fix", next_hop=live.next_hop if live else "", allowed=self._checks.guard(caller)
        )
        try:
            return cast("ProbeJson", probe_json(await self._gateway.checking.check(request)))
        except NotAllowed as problem:
            raise out_of_bounds(problem) from None

    async def _agreed(self, asked: Asked, typed: str) -> None:
        """Raise `Invalid` where mail would end for good and whoever asks has not typed how much."""
        effect = (await self._gateway.fixing.preview(asked)).effect
        ends = effect.returned + effect.deleted
        if ends and typed.strip() != str(ends):
            raise Invalid(tr("This ends {n} recipients for good: type {n} to go on."), n=ends)

    async def undo(self, number: str, caller: Caller, say: Translator) -> FixAnswer:
        """Undo a fix."""
        fix = await self._find(number)
        caller.need(scope_of(fix.action))
        try:
            undone = await self._gateway.fixing.undo(fix, caller.name)
        except BadFix as problem:
            raise Conflict(problem.text, (), **problem.values) from None
        return {"fix": fix_json(undone, say)}

    async def verify(self, number: str, caller: Caller, say: Translator) -> FixAnswer:
        """Look now whether the error that a fix was for is gone; a probe says so."""
        fix = await self._find(number)
        caller.need("operate")
        try:
            settled = await self._gateway.fixing.verify(fix)
        except BadFix as problem:
            raise Conflict(problem.text, (), **problem.values) from None
        return {"fix": fix_json(settled, say)}

    async def listed(self, limit: int, say: Translator) -> list[FixJson]:
        """Return what was applied, newest first."""
        return [fix_json(fix, say) for fix in await self._gateway.fixing.applied(limit)]

    async def show(self, number: str, say: Translator) -> FixDetail:
        """Return a fix with what it changed."""
        fix = await self._find(number)
        return {**fix_json(fix, say), "preview": preview_json(fix.preview, say)}

    async def _find(self, number: str) -> AppliedFix:
        fix = await self._gateway.fixing.find(number)
        if fix is None:
            raise NotFound(tr("There is no change {id}: see gatepost fix list."), id=number)
        return fix


def scope_of(action: str) -> str:
    """Return what a caller must be allowed for a fix: mail that is steered, or objects that are changed."""
    return "operate" if action in QUEUE_ACTIONS else "admin"


def said(because: Because, say: Callable[[str], str]) -> str:
    """Return a piece of evidence in a language."""
    return say(because.text).format(**because.values)


def offer_json(offer: Offer, target: str, say: Translator) -> OfferJson:
    """Return an offer with the command that applies it."""
    action = ACTIONS[offer.action]
    words = [f"gatepost fix apply {target} {offer.action}"]
    words += [
        f"--set {key}={_shown(value)}" for key, value in offer.parameters.items() if key != "certificate"
    ]
    return {
        "action": offer.action,
        "title": say(action.title),
        "does": say(action.does),
        "parameters": dict(offer.parameters),
        "needs": list(action.needs),
        "because": [said(b, say) for b in offer.because],
        "warnings": [said(b, say) for b in offer.warnings],
        "destructive": offer.destructive,
        "undo": offer.undo,
        "command": " ".join(words),
    }


def _shown(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(str(part) for part in value)
    return str(value)


def preview_json(preview: Preview, say: Translator) -> PreviewJson:
    """Return a preview."""
    action = ACTIONS[preview.action]
    return {
        "action": preview.action,
        "title": say(action.title),
        "does": say(action.does),
        "parameters": dict(preview.parameters),
        "revision": preview.revision,
        "objects": [
            {
                "kind": diff.kind,
                "name": diff.name,
                "action": "add" if diff.before is None else "remove" if diff.after is None else "change",
                "fields": _fields(diff.before or {}, diff.after or {}),
            }
            for diff in preview.objects
        ],
        "effect": effect_json(preview.effect),
        "warnings": [said(b, say) for b in preview.warnings],
        "undo": preview.undo,
        "not_undone": [said(b, say) for b in preview.not_undone],
    }


def _fields(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, BeforeAfter]:
    return {
        key: {"before": before.get(key), "after": after.get(key)}
        for key in {**before, **after}
        if before.get(key) != after.get(key)
    }


def fix_json(fix: AppliedFix, say: Translator) -> FixJson:
    """Return an applied fix: who, when, from where, why, and what became of it."""
    target = target_of(fix)
    return {
        "id": to_text(fix.id),
        "action": fix.action,
        "title": say(ACTIONS[fix.action].title) if fix.action in ACTIONS else fix.action,
        "connector": target.connector,
        "destination_id": str(target.destination_id),
        "insight": fix.insight,
        "parameters": {k: v for k, v in fix.parameters.items() if k not in ("connector", "destination_id")},
        "who": fix.who,
        "via": fix.via,
        "reason": fix.reason,
        "at": when(fix.at),
        "state": fix.state,
        "revision": fix.revision,
        "verified_at": when(fix.verified_at),
        "undone_at": when(fix.undone_at),
        "undone_by": fix.undone_by,
        "undo": ACTIONS[fix.action].undo if fix.action in ACTIONS else "none",
        "messages": fix.preview.effect.messages,
    }
