"""Why servers refuse mail: each rule changes the ranking by its evidence, and says why (B3, R12)."""

import pytest

from gatepost.diagnose.causes import RULES, rank
from gatepost.diagnose.refusing import REFUSING
from gatepost.diagnose.sayings import SAYINGS
from gatepost.model.evidence import Facts, Neighbours, ObjectEdit, Refusals
from gatepost.model.failure import FailureClass

NOW = 1_764_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR

# what a server says -> the rule that it proves
SAID = {
    "says_left": "550 5.1.1 That person has left our company",
    "says_suspended": "550 5.2.1 This account is suspended",
    "says_being_moved": "450 4.2.1 The mailbox is being moved to another host",
    "says_quota": "452 4.2.2 She is over her quota",
    "says_syntax": "501 5.1.3 Syntax of the address",
    "says_login_first": "550 5.7.1 Only authenticated senders may write to this group",
    "says_members_only": "550 5.7.1 You are no member of this list",
    "says_network": "554 5.7.1 Your network range is listed",
    "says_spam_came": "554 5.7.1 Spam was seen from your address",
    "says_no_reputation": "421 4.7.0 Your address has no reputation with us yet",
    "says_strict": "550 5.7.1 Score 6.1 is above 5",
    "says_rule": "550 5.7.1 A rule of our organization forbids it",
    "says_not_allowed": "550 5.7.1 You are not allowed to send here",
    "says_not_registered": "550 5.7.1 Please register your domain with us first",
    "says_spf": "550 5.7.23 SPF says no",
    "says_dkim": "550 5.7.20 No valid DKIM signature",
    "says_no_domain": "450 4.1.8 Sender domain not found",
    "says_banned": "550 5.7.1 Sender banned",
    "says_no_ptr": "550 5.7.25 There is no PTR record for you",
    "says_mismatch": "550 5.7.1 HELO name is not yours",
    "says_virus": "554 5.7.0 Infected with a virus",
    "says_file_type": "552 5.7.0 This attachment is forbidden",
    "says_too_much": "450 4.7.1 Too many messages from you",
    "says_greylisted": "450 4.2.0 Greylisted",
    "says_not_relayed": "550 5.7.1 Your host may not relay",
    "says_not_ours": "550 5.7.1 That domain is not hosted here",
    "says_locked": "535 5.7.8 The account is locked",
    "says_wrong_password": "535 5.7.8 Wrong password",
    "says_disk": "452 4.3.1 The disk is full",
    "says_short": "452 4.3.1 Out of memory",
    "says_setting": "451 4.3.5 Configuration error",
    "says_part": "451 4.3.0 Cannot write the queue file",
    "says_busy": "450 4.3.2 Busy",
    "says_hops": "554 5.4.6 Over 30 hops",
    "says_forwarding": "554 5.4.6 It was forwarded here before",
    "says_no_extension": "555 5.5.4 8BITMIME is not known",
    "says_odd_message": "550 5.6.0 A header is broken",
    "says_tlsa": "450 4.7.5 TLSA does not fit",
    "says_mta_sts": "450 4.7.5 MTA-STS forbids this host",
    "says_dnssec": "450 4.7.5 DNSSEC is bogus",
}
ALIKE = Neighbours(active=6, failing=6, failing_alike=6, examples=("a.example", "b.example"))
DELIVERS = {"last_delivery": NOW, "taken": 40}
STOPPED = {"last_delivery": NOW - 3 * HOUR, "taken": 40}
# name of the rule -> (class, facts under which it holds)
EVIDENCE: dict[str, tuple[str, dict[str, object]]] = {
    "known_to_us": ("recipient_unknown", {"refusals": Refusals(1, ("ann@contoso.example",), ("ann@contoso.example",))}),
    "only_one_unknown": ("recipient_unknown", {"refusals": Refusals(1, ("ann@contoso.example",)), **DELIVERS}),
    "many_unknown": ("recipient_unknown", {"refusals": Refusals(12, tuple(f"u{n}@x.example" for n in range(12)))}),
    "full_for_long": ("mailbox_full", {"first_failure": NOW - 9 * DAY}),
    "known_address_refused": ("bad_address", {"refusals": Refusals(1, ("a@b.example",), ("a@b.example",))}),
    "names_new_address": ("moved", {"reply": "551 5.1.6 Please try <ann@fabrikam.example>"}),
    "code_of_login": ("recipient_restricted", {"code": "5.7.133"}),
    "others_block_too": ("ip_blocked", {"neighbours": ALIKE}),
    "only_here_blocked": ("ip_blocked", {"neighbours": Neighbours(active=5, working=5)}),
    "nothing_taken_before": ("ip_blocked", {}),
    "taken_before": ("ip_blocked", STOPPED),
    "mail_of_one_sender": ("spam_content", {"refusals": Refusals(2, senders=("bob@contoso.example",))}),
    "mail_of_many_senders": ("spam_content", {"refusals": Refusals(4, senders=("a@b.example", "c@b.example", ""))}),
    "much_of_one_sender": ("spam_content", {"refusals": Refusals(30, senders=("bob@contoso.example",))}),
    "other_mail_passes": ("policy_reject", DELIVERS),
    "policy_refuses_all": ("policy_reject", STOPPED),
    "policy_never_took": ("policy_reject", {}),
    "sender_not_ours": ("sender_auth_failed", {"refusals": Refusals(1, foreign=("x@elsewhere.example",))}),
    "sender_is_invented": ("sender_rejected", {"refusals": Refusals(1, senders=("scanner@printer.local",))}),
    "much_at_a_time": ("rate_limited", {"refusals": Refusals(30)}),
    "little_at_a_time": ("rate_limited", {"refusals": Refusals(2)}),
    "put_off_for_long": ("greylisted", {"attempts": 9, "first_failure": NOW - 5 * HOUR}),
    "relay_host_changed": ("relay_denied", {"edits": ("smart_hosts",)}),
    "relay_never_worked": ("relay_denied", {}),
    "relayed_before": ("relay_denied", STOPPED),
    "relays_others": ("relay_denied", DELIVERS),
    "no_login_set": ("auth_required", {}),
    "login_taken_away": ("auth_required", {"edits": ("username",)}),
    "port_of_submission": ("auth_required", {"port": 587}),
    "login_changed": ("auth_failed", {"edits": ("password",)}),
    "login_unchanged": ("auth_failed", {}),
    "login_not_offered": ("auth_failed", {"sub": "not_offered"}),
    "large_ones_refused": ("message_too_large", {"refusals": Refusals(1, smallest=30 << 20)}),
    "small_ones_refused": ("message_too_large", {"refusals": Refusals(1, smallest=1 << 20)}),
    "leads_to_ourselves": ("mail_loop", {"reason": "loop"}),
    "loop_host_changed": ("mail_loop", {"edits": ("smart_hosts",)}),
    "our_own_part": ("system_error", {"reason": "local"}),
    "takes_other_mail": ("server_temp_error", DELIVERS),
    "takes_nothing": ("server_temp_error", STOPPED),
    "message_of_its_own": ("protocol_error", DELIVERS),
    "needs_smtputf8": ("protocol_error", {"sub": "smtputf8"}),
    "answers_are_odd": ("protocol_error", {"reason": "protocol"}),
    "takes_no_mail": ("dns_permanent", {"sub": "null_mx"}),
    "took_mail_before": ("dns_permanent", STOPPED),
    "unheard_of": ("dns_permanent", {"sub": "nxdomain"}),
    "connector_taken_away": ("routing_error", {"edits": ("enabled",)}),
    "domains_changed": ("routing_error", {"edits": ("domains",)}),
}  # fmt: skip
EVIDENCE |= {s.name: (s.failure_class, {"reply": SAID[s.name]}) for s in SAYINGS}


def facts(name: str) -> Facts:
    """Return facts under which a rule holds."""
    failure_class, more = EVIDENCE[name]
    known: dict[str, object] = {
        "now": NOW, "failure_class": failure_class, "to": "on-premises", "connector": "to-office", "attempts": 2,
        "first_failure": NOW - HOUR, "last_success": NOW - 2 * HOUR, **more,
    }  # fmt: skip
    fields = known.pop("edits", ())
    edits = (ObjectEdit("connector", "to-office", NOW - HOUR, "ann", fields, {}, {}),) if fields else ()
    return Facts(edits=edits, **known)  # type: ignore[arg-type]


def weight(given: Facts, cause: str, rules=RULES) -> float:
    return next(c.weight for c in rank(given, rules).causes if c.id == cause)


@pytest.mark.parametrize("rule", REFUSING, ids=lambda r: r.name)
def test_each_rule_changes_the_ranking_and_says_why(rule):
    """B3."""
    given = facts(rule.name)
    without = tuple(r for r in RULES if r is not rule)
    before, after = weight(given, rule.cause, without), weight(given, rule.cause)
    assert (after > before) if rule.factor > 1 else (after < before)
    (cause,) = [c for c in rank(given).causes if c.id == rule.cause]
    (said,) = [b for b in cause.because if b.rule == rule.name]
    assert said.text.format(**said.values)


@pytest.mark.parametrize("name", EVIDENCE)
def test_without_its_evidence_a_rule_says_nothing(name):
    failure_class, _ = EVIDENCE[name]
    (rule,) = [rule for rule in REFUSING if rule.name == name]
    nothing = Facts(now=NOW, failure_class=failure_class)
    assert rule.holds(nothing) is None


def test_every_class_that_a_server_can_refuse_with_has_evidence_of_its_own():
    """R12."""
    spoken_of = {str(failure_class) for rule in RULES for failure_class in rule.classes}
    assert {str(c) for c in FailureClass} - spoken_of == {"delivered", "expired", "queued_retry"}
