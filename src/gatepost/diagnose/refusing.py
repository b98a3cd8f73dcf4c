"""Evidence about what servers refuse: recipients, senders, content, rates, relaying, logins (rules as data, pure).

Rule: a server's own words make a cause likelier, never certain; what we know ourselves (our lists of recipients, what
was delivered meanwhile, who changed what) weighs more.
"""

import re

from gatepost.diagnose.because import (
    DAY,
    HOUR,
    Question,
    Rule,
    Values,
    edited,
    named,
    others_alike,
    others_work,
    said,
    span,
    unchanged,
)
from gatepost.diagnose.sayings import SAYINGS
from gatepost.i18n import tr
from gatepost.model.evidence import Facts

MANY = 10  # messages or recipients
SEVERAL = 3  # senders
FEW = 3  # messages
LARGE = 20 << 20  # octets that many servers take no more
SMALL = 5 << 20  # and those that nearly every one takes
SUBMISSION = (465, 587)
_ADDRESS = re.compile(r"[^\s<>()\",;:]+@[^\s<>()\",;:]+\.[^\s<>()\",;:]+")
_LOCAL = ("local", "localdomain", "localhost", "lan", "home", "internal", "corp", "invalid")


def _passes(f: Facts) -> Values | None:
    """Ask whether other mail was delivered there since the first failure."""
    return {} if f.last_delivery > f.first_failure > 0 else None


def _nothing_passes(f: Facts) -> Values | None:
    """Ask whether nothing was delivered since it began, where it was before."""
    return {"n": f.taken} if f.taken and _passes(f) is None else None


def _never_taken(f: Facts) -> Values | None:
    return {} if not f.taken and not f.last_delivery and f.attempts >= 1 else None


def _taken(f: Facts) -> Values | None:
    return {"n": f.taken} if f.taken else None


def _unheard_of(f: Facts) -> Values | None:
    return _never_taken(f) if f.sub != "null_mx" else None


def _ours(f: Facts) -> Values | None:
    return {"address": f.refusals.known[0]} if f.refusals.known else None


def _only_one(f: Facts) -> Values | None:
    alone = f.refusals.recipients if len(f.refusals.recipients) == 1 else ()
    return {"address": alone[0]} if alone and not f.refusals.known and _passes(f) is not None else None


def _many_recipients(f: Facts) -> Values | None:
    number = len(f.refusals.recipients)
    return {"n": number} if number >= MANY else None


def _one_sender(f: Facts) -> Values | None:
    alone = f.refusals.senders if len(f.refusals.senders) == 1 else ()
    return {"sender": alone[0]} if alone and alone[0] and f.refusals.messages < MANY else None


def _one_sender_much(f: Facts) -> Values | None:
    alone = f.refusals.senders if len(f.refusals.senders) == 1 else ()
    if alone and alone[0] and f.refusals.messages >= MANY:
        return {"sender": alone[0], "n": f.refusals.messages}
    return None


def _several_senders(f: Facts) -> Values | None:
    number = len(f.refusals.senders)
    return {"n": number} if number >= SEVERAL else None


def _foreign_sender(f: Facts) -> Values | None:
    return {"sender": f.refusals.foreign[0]} if f.refusals.foreign else None


def _invented_sender(f: Facts) -> Values | None:
    for sender in f.refusals.senders:
        domain = sender.rpartition("@")[2].lower()
        if sender and ("." not in domain or domain.rpartition(".")[2] in _LOCAL):
            return {"sender": sender}
    return None


def _new_address(f: Facts) -> Values | None:
    found = [a for a in _ADDRESS.findall(f.reply) if a.lower() not in f.refusals.recipients]
    return {"address": found[0][:100]} if found else None


def _long(f: Facts) -> Values | None:
    since = f.now - f.first_failure
    return {"span": span(since)} if f.first_failure and since >= 3 * DAY else None


def _again_and_again(f: Facts) -> Values | None:
    since = f.now - f.first_failure
    put_off = f.attempts >= FEW and f.first_failure and since >= HOUR and _passes(f) is None
    return {"n": f.attempts, "span": span(since)} if put_off else None


def _much(f: Facts) -> Values | None:
    return {"n": f.refusals.messages} if f.refusals.messages >= MANY else None


def _little(f: Facts) -> Values | None:
    return {"n": f.refusals.messages} if 0 < f.refusals.messages <= FEW else None


def _large(f: Facts) -> Values | None:
    return {"octets": f.refusals.smallest} if f.refusals.smallest >= LARGE else None


def _small(f: Facts) -> Values | None:
    return {"octets": f.refusals.smallest} if 0 < f.refusals.smallest < SMALL else None


def _no_login(f: Facts) -> Values | None:
    return {} if f.connector and not f.login else None


def _submission(f: Facts) -> Values | None:
    return {"port": f.port} if f.port in SUBMISSION else None


def _changed(*fields: str) -> Question:
    """Ask whether somebody edited one of these fields since the last delivery; a connection alone says nothing."""
    return lambda f: edited(f, *fields, since=f.last_delivery)


def _code(*codes: str) -> Question:
    return lambda f: {"code": f.code} if f.code.partition(".")[2] in codes else None


def _for(failure_class: str) -> frozenset[str]:
    return frozenset({failure_class})


SAYS = tr("The server says: {reply}")
CHANGED = tr("{who} changed {fields} of the connector {span} ago, after mail had last flowed.")
UNCHANGED = tr("Mail flowed {span} ago, and the connector was not changed since.")
OTHERS = tr("{n} other destinations fail in the same way at the same time ({examples}).")
WORK = tr("{n} other destinations take mail now.")
PASSES = tr("Other mail was delivered there meanwhile.")
NOTHING_PASSES = tr("Nothing is taken any more, where {n} recipients were delivered within the last week.")
NEVER = tr("Nothing was ever delivered there, as far as is remembered.")
OURS = tr("{address} is in our own list of recipients.")
ONE_SENDER = tr("All of it comes from {sender}.")
ONE_SENDER_MUCH = tr("{n} messages of {sender} alone were refused.")
SENDERS = tr("It concerns mail of {n} different senders.")

REFUSING: tuple[Rule, ...] = (
    *(Rule(s.name, _for(s.failure_class), s.cause, s.factor, said(*s.words), SAYS) for s in SAYINGS),
    Rule("known_to_us", _for("recipient_unknown"), "not_synchronised", 12.0, _ours, OURS),
    Rule("only_one_unknown", _for("recipient_unknown"), "typing_mistake", 2.0, _only_one,
         tr("Only {address} is refused; other mail was delivered there meanwhile.")),
    Rule("many_unknown", _for("recipient_unknown"), "old_list", 20.0, _many_recipients,
         tr("{n} different addresses were refused.")),
    Rule("full_for_long", _for("mailbox_full"), "unread", 8.0, _long, tr("It has been so for {span}.")),
    Rule("known_address_refused", _for("bad_address"), "broken_directory", 12.0, _ours, OURS),
    Rule("names_new_address", _for("moved"), "new_address", 3.0, _new_address,
         tr("The server names another address: {address}.")),
    Rule("code_of_login", _for("recipient_restricted"), "not_authenticated", 5.0,
         _code("7.133", "7.134", "7.135", "7.136"), tr("The code {code} says that senders have to log in.")),
    Rule("others_block_too", _for("ip_blocked"), "spam_sent", 6.0, others_alike, OTHERS),
    Rule("only_here_blocked", _for("ip_blocked"), "spam_sent", 0.6, others_work, WORK),
    Rule("nothing_taken_before", _for("ip_blocked"), "no_reputation", 3.0, _never_taken, NEVER),
    Rule("taken_before", _for("ip_blocked"), "spam_sent", 2.0, _nothing_passes, NOTHING_PASSES),
    Rule("mail_of_one_sender", _for("spam_content"), "looks_alike", 2.0, _one_sender, ONE_SENDER),
    Rule("mail_of_many_senders", _for("spam_content"), "strict_filter", 8.0, _several_senders, SENDERS),
    Rule("much_of_one_sender", frozenset({"spam_content", "rate_limited", "content_virus"}), "compromised", 20.0,
         _one_sender_much, ONE_SENDER_MUCH),
    Rule("other_mail_passes", _for("policy_reject"), "transport_rule", 3.0, _passes, PASSES),
    Rule("policy_refuses_all", _for("policy_reject"), "not_allowed", 3.0, _nothing_passes, NOTHING_PASSES),
    Rule("policy_never_took", _for("policy_reject"), "not_allowed", 2.0, _never_taken, NEVER),
    Rule("sender_not_ours", _for("sender_auth_failed"), "forwarded", 6.0, _foreign_sender,
         tr("{sender} is of no domain of ours, so the message came in from elsewhere.")),
    Rule("sender_is_invented", _for("sender_rejected"), "device", 12.0, _invented_sender,
         tr("{sender} is no address that the Internet can reach.")),
    Rule("much_at_a_time", _for("rate_limited"), "burst", 4.0, _much, tr("{n} messages were put off lately.")),
    Rule("little_at_a_time", _for("rate_limited"), "low_limit", 8.0, _little,
         tr("Only {n} messages were tried, and put off all the same.")),
    Rule("put_off_for_long", _for("greylisted"), "changing_address", 12.0, _again_and_again,
         tr("{n} attempts within {span} were all put off.")),
    Rule("relay_host_changed", _for("relay_denied"), "wrong_server", 6.0, _changed("smart_hosts", "use_mx"), CHANGED),
    Rule("relay_never_worked", _for("relay_denied"), "wrong_server", 2.0, _never_taken, NEVER),
    Rule("relayed_before", _for("relay_denied"), "not_allowed", 4.0, _nothing_passes, NOTHING_PASSES),
    Rule("relays_others", _for("relay_denied"), "domain_missing", 6.0, _passes, PASSES),
    Rule("no_login_set", _for("auth_required"), "no_login", 3.0, _no_login,
         tr("The connector has no user name.")),
    Rule("login_taken_away", _for("auth_required"), "no_login", 3.0, _changed("username", "password"), CHANGED),
    Rule("port_of_submission", _for("auth_required"), "wrong_port", 12.0, _submission,
         tr("Port {port} is the one for mail programs.")),
    Rule("login_changed", _for("auth_failed"), "wrong_password", 6.0, _changed("username", "password"), CHANGED),
    Rule("login_unchanged", _for("auth_failed"), "login_off", 4.0, unchanged, UNCHANGED),
    Rule("login_not_offered", _for("auth_failed"), "login_off", 6.0, named("not_offered"),
         tr("The server offers no way of logging in that we know.")),
    Rule("large_ones_refused", _for("message_too_large"), "attachments", 3.0, _large,
         tr("Even the smallest message that was refused has {octets} octets.")),
    Rule("small_ones_refused", _for("message_too_large"), "size_limit", 6.0, _small,
         tr("A message of only {octets} octets was refused.")),
    Rule("leads_to_ourselves", _for("mail_loop"), "points_back", 6.0, named("loop"),
         tr("The next hop is this gateway itself.")),
    Rule("loop_host_changed", _for("mail_loop"), "points_back", 6.0, _changed("smart_hosts", "use_mx"), CHANGED),
    Rule("our_own_part", _for("system_error"), "own_part", 20.0, named("local"),
         tr("It happened on this machine, not at the destination.")),
    Rule("takes_other_mail", _for("server_temp_error"), "hidden_limit", 4.0, _passes, PASSES),
    Rule("takes_nothing", _for("server_temp_error"), "busy", 2.0, _nothing_passes, NOTHING_PASSES),
    Rule("message_of_its_own", _for("protocol_error"), "odd_message", 3.0, _passes, PASSES),
    Rule("needs_smtputf8", _for("protocol_error"), "missing_extension", 8.0, named("smtputf8"),
         tr("The message has addresses beyond ASCII, and the server does not offer SMTPUTF8.")),
    Rule("answers_are_odd", _for("protocol_error"), "odd_server", 4.0, named("protocol"),
         tr("What the server answers is not SMTP.")),
    Rule("takes_no_mail", _for("dns_permanent"), "no_mail", 8.0, named("null_mx"),
         tr("The domain says in the DNS that it takes no mail.")),
    Rule("took_mail_before", _for("dns_permanent"), "domain_expired", 6.0, _taken,
         tr("{n} recipients of it were delivered within the last week.")),
    Rule("unheard_of", _for("dns_permanent"), "typing_mistake", 2.0, _unheard_of, NEVER),
    Rule("connector_taken_away", _for("routing_error"), "connector_off", 6.0, _changed("enabled", "name"),
         tr("{who} disabled or deleted a connector that took this domain, {span} ago.")),
    Rule("domains_changed", _for("routing_error"), "no_match", 6.0, _changed("domains", "all_accepted_domains"),
         tr("{who} changed the domains of a connector that took this domain, {span} ago.")),
)  # fmt: skip
