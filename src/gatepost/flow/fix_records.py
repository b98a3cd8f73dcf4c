"""Applied fixes as documents, and back (pure)."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from gatepost.model.document import Document
from gatepost.model.evidence import Because
from gatepost.model.fix import AppliedFix, Effect, ObjectDiff, Preview
from gatepost.model.ids import to_text

KIND = "fix"


def document_of(fix: AppliedFix) -> Document:
    """Return an applied fix as it is kept."""
    return Document(KIND, to_text(fix.id), fix.at, to_json(fix))


def to_json(fix: AppliedFix) -> dict[str, object]:
    """Return an applied fix as JSON-able values."""
    data = asdict(fix)
    preview = data["preview"]
    preview["objects"] = [d._asdict() for d in fix.preview.objects]
    for key in ("warnings", "not_undone"):
        preview[key] = [b._asdict() for b in getattr(fix.preview, key)]
    return data


def from_document(document: Document) -> AppliedFix:
    """Return the fix that a document keeps."""
    data = cast("dict[str, Any]", dict(document.data or {}))
    held = {number: tuple(values) for number, values in data.get("held", {}).items()}
    return AppliedFix(**{**data, "preview": _preview(data["preview"]), "held": held})


def _preview(data: Mapping[str, Any]) -> Preview:
    effect = dict(data["effect"])
    effect["samples"] = {fate: tuple(found) for fate, found in effect["samples"].items()}
    return Preview(
        action=data["action"],
        parameters=data["parameters"],
        revision=data["revision"],
        objects=tuple(ObjectDiff(**d) for d in data["objects"]),
        effect=Effect(**effect),
        warnings=tuple(Because(**b) for b in data["warnings"]),
        undo=data["undo"],
        not_undone=tuple(Because(**b) for b in data["not_undone"]),
    )
