"""What fields and parameters are called everywhere, said once; whatever says something of itself keeps that."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = dict[str, Any]
WORDS: Mapping[str, str] = {
    "acknowledged_by": "Who looks after it; empty: nobody.",
    "action": "Name of the action or fix.",
    "add": "How many, or which, are added.",
    "address": "An address: of a recipient, or address and port of a server.",
    "after": "What it is afterwards; null where it is gone.",
    "agent": "What the browser calls itself.",
    "alert": "Id of the alert.",
    "all": "Also what is over.",
    "all_accepted_domains": "Whether it takes mail for every accepted domain.",
    "allow_bare_newlines": "Whether lines may end without CR.",
    "attempts": "Failed attempts.",
    "before": "What it was before; as a parameter: the page behind this one.",
    "bad_example": "One of the lines that could not be read.",
    "change": "How many change; in an address: the id of a fix.",
    "channel": "Name of the channel.",
    "check": "What was looked at.",
    "class": "Class of the failure.",
    "code": "Code of the error.",
    "column": "Which column of the map.",
    "confidence": "How sure this is, 0 to 1.",
    "connections": "Connections that were opened.",
    "connector": "Name of a connector, `*` matches any characters; empty: any.",
    "created_by": "Who made it.",
    "days": "How many days are looked back.",
    "deferred": "Attempts that failed and were repeated.",
    "deleted": "How many were deleted.",
    "delivered": "How many were delivered.",
    "delivered_later": "Recipients that got their mail after a failure.",
    "destination": "Name, host or id of a destination; empty: any.",
    "destinations": "How many destinations.",
    "direction": "Mail that was taken, or sent.",
    "does": "What it does, in the caller's language.",
    "domain": "Name of the domain.",
    "dry_run": "Only say what would happen.",
    "enabled": "Whether it is in force.",
    "engine": "What kind of store it is.",
    "episodes": "How often it has been open.",
    "evidence": "What shows it, a sentence each.",
    "examples": "Some of the addresses.",
    "explanation": "What it means, in the caller's language.",
    "failed": "How many failed for good.",
    "failing": "Destinations that fail.",
    "forgotten": "How many were forgotten.",
    "hosts": "Addresses that were tried.",
    "hostname": "What the gateway calls itself.",
    "hour_before": "Messages of the hour before.",
    "how_to_fix": "The first thing to do.",
    "id": "What it is called in addresses.",
    "ids": "Ids of messages; none: what the filters mean.",
    "insight": "Fingerprint of an insight, its beginning, or its number.",
    "insights": "What fails, by destination and class; or how many insights.",
    "issuer": "Who issued the certificate.",
    "job": "Id of the job.",
    "kind": "What kind of thing it is.",
    "known_recipients": "Recipients that our mailbox store knows.",
    "last_address": "Address and port of the last error; may be empty.",
    "last_hour": "Messages of the last hour.",
    "limit": "At most so many.",
    "lines": "Lines that were read.",
    "match_subdomains": "Whether its subdomains belong to it.",
    "message": "What is the matter, in a sentence.",
    "message_id": "Id of the message: 13 letters and digits.",
    "messages": "How many messages.",
    "messages_looked_at": "How many messages were looked at.",
    "mx_before": "Mail servers that the domain had before.",
    "mx_now": "Mail servers that it has now.",
    "name": "Its name.",
    "names": "Names that it is good for.",
    "next_step": "The first thing to do, in a sentence.",
    "note": "What somebody wrote about it; may be empty.",
    "objects": "Objects by kind, as in the TOML file.",
    "of": "Messages in all.",
    "ok": "Whether all is well.",
    "over": "Whether it works again, or has not failed lately.",
    "owner": "Whose it is to mend.",
    "owner_name": "The same in words.",
    "password": "The password; empty: none, or unchanged.",
    "phase": "How far it came; may be empty.",
    "queued": "Messages that wait.",
    "ready": "Whether mail is accepted and delivered.",
    "reason": "Why; may be empty.",
    "recipient": "Address of the recipient.",
    "recipients": "How many recipients.",
    "refused": "How many were refused.",
    "refused_incoming": "Mail that the system itself refused to take.",
    "rejected": "How many the destination rejected.",
    "reloaded": "Whether it was done.",
    "remove": "How many, or which, are removed.",
    "require_tls": "Whether clear text is refused.",
    "result": "What came of it.",
    "returned": "How many went back to the sender.",
    "revision": "Counts the changes of objects.",
    "role": "viewer, operator or administrator.",
    "scope": "What is broken: destination, hosts, messages, foreign, gateway.",
    "sentence": "The same in one sentence, in the caller's language.",
    "server": "Name of the server; may be empty.",
    "session": "Id of the session, or its beginning.",
    "severity": "How much it matters.",
    "side": "Who can mend it: other, us or sender.",
    "silence": "Id of the silence.",
    "silenced": "Whether nobody is told.",
    "smart_host": "A host to check, `mail.example` or `192.0.2.7:25`.",
    "smtp": "SMTP code.",
    "source": "Name of the source; empty: any.",
    "source_kind": "What it was read from.",
    "state": "Where it stands.",
    "status": "The HTTP status.",
    "stuck": "Recipients that wait.",
    "sub": "A finer word than the class; may be empty.",
    "subject": "Whose certificate it is.",
    "suspended": "Whether it is held back by itself.",
    "suspended_reason": "Why it is held back; may be empty.",
    "system": "Name of the foreign mail system.",
    "target": "An insight, the name of a connector, or the number of a destination.",
    "text": "The same in words.",
    "title": "What it is called, in the caller's language.",
    "tls": "What is demanded of TLS; empty: as the connector says.",
    "tls_domain": "Name that the certificate must carry; may be empty.",
    "total": "How many in all.",
    "tries": "How often it was tried.",
    "undone_by": "Who undid it; empty where it was not undone.",
    "url": "The link.",
    "user": "Name of the user; empty: all.",
    "username": "User name to log in with; empty: no login.",
    "version": "Version of the gateway.",
    "warnings": "What speaks against it.",
    "way": "By which way it was told.",
    "who": "Who did it.",
    "won": "Whether mail goes there.",
    "working": "How many work.",
    "would_be": "What the domain would be.",
    "would_be_refused": "Whether mail for it would be refused.",
    "done": "How many are done.",
}


def explain(document: Schema) -> None:
    """Let every field and parameter that says nothing of itself say what its name or its shape means everywhere."""
    schemas = document["components"]["schemas"]
    for shape in schemas.values():
        for name, field in shape.get("properties", {}).items():
            _say(name, field, schemas)
    for operation in _operations(document):
        for parameter in operation.get("parameters", ()):
            _say(parameter["name"], parameter, schemas)


def _operations(document: Schema) -> Iterator[Schema]:
    for methods in document["paths"].values():
        yield from methods.values()


def _say(name: str, field: Schema, schemas: Mapping[str, Schema]) -> None:
    if not field.get("description"):
        found = _shape_of(field)
        words = schemas[found].get("description", "") if found else WORDS.get(name, "")
        field["description"] = words.partition("\n")[0]


def _shape_of(field: Schema) -> str:
    """Return the name of the shape that a field holds, one or many, or null; "" where it is none."""
    parts = [field, field.get("items", {}), *field.get("anyOf", ())]
    references = [part["$ref"] for part in parts if "$ref" in part]
    return str(references[0]).rpartition("/")[2] if references else ""
