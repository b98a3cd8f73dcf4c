"""Stories of what servers refuse: recipients, senders, content, rates, relaying, logins; and of mail without a way."""

from tests.support import certificates
from tests.support.plots.telling import story
from tests.support.stories import Crew, Stage

LOGIN = {"logins": {"gateway": "secret"}}
WITH_LOGIN = {"username": "gateway", "password": "secret", "tls": "encryption-only"}


async def refused(stage: Stage, crew: Crew, to: str, **faults: object) -> None:
    """Let a server refuse a message."""
    server = crew.server(**faults)
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    await stage.send()


async def refused_among_others(stage: Stage, crew: Crew, to: str, reply: str) -> None:
    """Let a server refuse one recipient, and take mail for others before and afterwards."""
    server = crew.server(rcpt={"ann@office.test": reply})
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    await stage.delivered(user="eve")
    await stage.send()
    await stage.insight(scope="messages")
    await stage.minutes(1)
    await stage.send(user="eve")
    await stage.until(lambda: stage.taken(server, 2), "the message to another recipient")
    await stage.written()


async def refused_from_now_on(stage: Stage, crew: Crew, to: str, **faults: object) -> None:
    """Let a server take mail, and from then on refuse it."""
    server = crew.server()
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    await stage.delivered()
    server.stop()
    await stage.hours(2)
    crew.server(port=server.port, **faults)
    await stage.send()


# ---------------------------------------------------------------- recipients


@story("a mistyped recipient", "recipient_unknown", "typing_mistake", "sender", "retry", "only_one_unknown",
       scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused_among_others(stage, crew, to, "550 5.1.1 User unknown here")


@story(
    "a person has left",
    "recipient_unknown",
    "left",
    "sender",
    "retry",
    "says_left",
    scope="messages",
    decided=True,
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, rcpt="550 5.1.1 Unknown user: ann has left the company")


@story("a list of old addresses", "recipient_unknown", "old_list", "sender", "retry", "many_unknown", scope="messages",
       decided=True, words="12 different addresses")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(rcpt="550 5.1.1 User unknown here")
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    await stage.send_many("office.test", 12)
    await stage.counted(12)


@story("a mailbox is disabled", "mailbox_disabled", "suspended", "there", "retry", "says_suspended", scope="messages",
       decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, rcpt="550 5.2.1 Mailbox disabled: the account is suspended")


@story("a mailbox is being moved", "mailbox_disabled", "broken_mailbox", "there", "retry", "says_being_moved",
       scope="messages")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, rcpt="450 4.2.1 Mailbox disabled: it is being moved")


@story(
    "a mailbox is full",
    "mailbox_full",
    "quota",
    "there",
    "retry",
    "says_quota",
    scope="messages",
    decided=True,
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, rcpt="452 4.2.2 Mailbox full: over quota")


@story(
    "a mailbox is full for days",
    "mailbox_full",
    "unread",
    "there",
    "retry",
    "full_for_long",
    scope="messages",
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(rcpt="452 4.2.2 Mailbox full")
    await stage.connector(f"127.0.0.1:{server.port}", to=to, expiry="10d")
    await stage.send()
    await stage.insight(scope="messages")
    for attempts in (2, 3, 4):
        await stage.again(30, attempts)


@story("an address is no address", "bad_address", "typing_mistake", "sender", "retry", "says_syntax", scope="messages",
       decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, rcpt="501 5.1.3 Bad recipient address syntax")


@story("a recipient has moved", "moved", "new_address", "sender", "retry", "names_new_address", scope="messages",
       decided=True, words="ann@fabrikam.test")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, rcpt="551 5.1.6 User has moved; please try <ann@fabrikam.test>")


@story("a group is for senders who log in", "recipient_restricted", "not_authenticated", "there", "retry",
       "code_of_login", scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, rcpt="550 5.7.133 Sender not authenticated for this group")


@story("a group is for its members", "recipient_restricted", "closed_group", "there", "retry", "says_members_only",
       scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(
        stage, crew, to, rcpt="550 5.7.124 Sender is not in the list of allowed senders of this group"
    )


# ---------------------------------------------------------------- reputation and policy


@story("our address is on a list", "ip_blocked", "spam_sent", "us", "suspend", "taken_before", "says_spam_came",
       scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    reply = "554 5.7.1 Client host 127.0.0.1 blocked using bl.test: spam was seen"
    await refused_from_now_on(stage, crew, to, rcpt=reply)


@story("the network of our provider is on a list", "ip_blocked", "bad_neighbours", "network", "suspend", "says_network",
       scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, rcpt="554 5.7.1 Your network range is on our block list")


@story("our address is new", "ip_blocked", "no_reputation", "us", "set_quirks", "says_no_reputation",
       "nothing_taken_before", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, mail="421 4.7.0 IP address has no reputation yet, temporarily blocked")


@story("a message looks like spam", "spam_content", "looks_alike", "sender", "retry", "mail_of_one_sender",
       scope="messages", decided=True, words="bob@sender.test")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, eod="550 5.7.1 Message rejected as spam")


@story("everybody's mail is taken for spam", "spam_content", "strict_filter", "there", "retry", "mail_of_many_senders",
       scope="messages", decided=True, words="4 different senders")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(eod="550 5.7.1 Message rejected as spam")
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    for sender in ("bob", "dan", "fay", "gus"):
        await stage.send(sender=f"{sender}@sender.test")
    await stage.counted(4)


@story("one account sends spam", "spam_content", "compromised", "us", "suspend", "much_of_one_sender",
       scope="messages", decided=True, words="12 messages of bob@sender.test")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(eod="550 5.7.1 Message rejected as spam")
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    await stage.send_many("office.test", 12)
    await stage.counted(12)


@story("a rule there forbids one message", "policy_reject", "transport_rule", "there", "retry", "other_mail_passes",
       scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused_among_others(stage, crew, to, "550 5.7.1 A transport rule of this organization forbids it")


@story("we are not allowed there any more", "policy_reject", "not_allowed", "there", "suspend", "policy_refuses_all",
       scope="messages")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused_from_now_on(stage, crew, to, rcpt="550 5.7.1 Rejected by policy")


@story("the SPF record lacks us", "sender_auth_failed", "spf_missing", "us", "suspend", "says_spf", scope="messages",
       decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await stage.accept("sender.test")
    await refused(stage, crew, to, eod="550 5.7.23 SPF validation failed for sender.test")


@story(
    "a forwarded message",
    "sender_auth_failed",
    "forwarded",
    "there",
    "retry",
    "sender_not_ours",
    scope="messages",
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, eod="550 5.7.26 Authentication of the sender domain failed: DMARC")


@story("the sender's domain does not exist", "sender_rejected", "no_such_domain", "dns-host", "retry", "says_no_domain",
       scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, mail="450 4.1.8 Sender address rejected: Domain not found")


@story("a device sends with an invented address", "sender_rejected", "device", "us", "retry", "sender_is_invented",
       scope="messages", decided=True, words="scan@printer.local")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(mail="553 5.1.8 Sender address rejected")
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    await stage.send(sender="scan@printer.local")


@story("our address has no name", "rdns_helo", "no_ptr", "network", "suspend", "says_no_ptr", scope="messages",
       decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, rcpt="450 4.7.25 Client host rejected: cannot find your reverse hostname")


@story("our name is another one", "rdns_helo", "mismatch", "us", "suspend", "says_mismatch", scope="messages",
       decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, rcpt="450 4.7.1 HELO name rejected: it does not match your address")


@story("a virus", "content_virus", "virus", "us", "retry", "says_virus", scope="messages", decided=True)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, eod="550 5.7.0 Virus found in the message")


@story("a kind of file that is forbidden", "content_virus", "file_type", "sender", "retry", "says_file_type",
       scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, eod="552 5.7.0 This attachment type is forbidden")


# ---------------------------------------------------------------- rates


@story("too much at a time", "rate_limited", "burst", "us", "set_quirks", "much_at_a_time", "says_too_much",
       scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(rcpt="450 4.7.1 Too many messages from your address, rate limit exceeded")
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    for number in range(12):
        await stage.send(sender=f"s{number}@sender.test")

    await stage.counted(12)


@story("a limit that is set low", "rate_limited", "low_limit", "there", "set_quirks", "little_at_a_time",
       scope="messages")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, rcpt="450 4.7.1 Too many messages from your address, rate limit exceeded")


@story("greylisting", "greylisted", "first_contact", "there", "retry", "says_greylisted", scope="messages",
       decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, rcpt="450 4.2.0 Greylisted, please try again later")


@story("greylisting that never ends", "greylisted", "changing_address", "us", "extend_expiry", "put_off_for_long",
       scope="messages")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, rcpt="450 4.2.0 Greylisted, please try again later")
    await stage.insight(scope="messages")
    for attempts in (2, 3, 4):
        await stage.again(2, attempts)


# ---------------------------------------------------------------- relaying, logins, sizes, loops


@story("mail goes to a server that is not in charge", "relay_denied", "wrong_server", "us", "set_smart_hosts",
       "relay_host_changed", scope="messages", decided=True, words="ann changed smart_hosts")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    first, second = crew.server(), crew.server(rcpt="550 5.7.1 Relaying denied")
    await stage.connector(f"127.0.0.1:{first.port}", to=to)
    await stage.delivered()
    await stage.hours(2)
    await stage.connector(f"127.0.0.1:{second.port}", to=to)
    await stage.send()


@story("we may not relay any more", "relay_denied", "not_allowed", "there", "suspend", "relayed_before",
       scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused_from_now_on(stage, crew, to, rcpt="550 5.7.1 Relaying denied")


@story("one domain is missing there", "relay_denied", "domain_missing", "there", "suspend", "relays_others",
       "says_not_ours", scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused_among_others(stage, crew, to, "550 5.7.1 Relaying denied: domain not hosted here")


@story("a login is demanded", "auth_required", "no_login", "us", "suspend", "no_login_set", scope="messages",
       decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, mail="530 5.7.0 Authentication required")


@story("the password is wrong from the start", "auth_failed", "wrong_password", "us", "extend_expiry",
       "says_wrong_password", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(
        issued=certificates.good(crew.authority, "mail.test"), auth="535 5.7.8 Wrong password", **LOGIN
    )
    await stage.connector(f"127.0.0.1:{server.port}", to=to, **WITH_LOGIN)
    await stage.send()


@story("the account is locked since", "auth_failed", "login_off", "there", "extend_expiry", "login_unchanged",
       decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    issued = certificates.good(crew.authority, "mail.test")
    server = crew.server(issued=issued, **LOGIN)
    await stage.connector(f"127.0.0.1:{server.port}", to=to, **WITH_LOGIN)
    await stage.delivered()
    server.stop()
    await stage.hours(2)
    crew.server(port=server.port, issued=issued, auth="535 5.7.8 The account is locked", **LOGIN)
    await stage.send()


@story("a limit of size that is set low", "message_too_large", "size_limit", "there", "retry", "small_ones_refused",
       scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, mail="552 5.3.4 Message size exceeds fixed limit")


@story("two systems send mail to each other", "mail_loop", "both_forward", "us", "suspend", "says_hops",
       scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, rcpt="554 5.4.6 Too many hops, mail loop")


@story("a connector leads to this gateway itself", "mail_loop", "points_back", "us", "set_smart_hosts",
       "leads_to_ourselves", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await stage.connector(f"127.0.0.1:{stage.smtp_port}", to=to)
    await stage.send()


# ---------------------------------------------------------------- the system there, and words that say little


@story("the disk is full there", "system_full", "disk_full", "there", "retry", "says_disk", decided=True)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, mail="452 4.3.1 Insufficient system storage")


@story("the server is short of memory", "system_full", "back_pressure", "there", "set_quirks", "says_short")
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, mail="452 4.3.1 Insufficient system resources: out of memory")


@story(
    "a setting is wrong there",
    "system_error",
    "wrong_setting",
    "there",
    "retry",
    "says_setting",
    decided=True,
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, mail="451 4.3.5 Server configuration error")


@story("a part of the server is broken", "system_error", "failed_part", "there", "retry", "says_part",
       scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, eod="451 4.3.0 Queue file write error")


@story("the server is busy with everything", "server_temp_error", "busy", "there", "retry", "takes_nothing",
       "says_busy", scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused_from_now_on(stage, crew, to, rcpt="450 4.3.2 Service busy, try again later")


@story("the server holds one recipient back and does not say why", "server_temp_error", "hidden_limit", "there",
       "set_quirks", "takes_other_mail", scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused_among_others(stage, crew, to, "451 4.0.0 Temporary failure, please try again")


@story("the server does not know an extension", "protocol_error", "missing_extension", "there", "retry",
       "says_no_extension", scope="messages")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, mail="555 5.5.4 Unsupported option: 8BITMIME")


@story("a message is malformed", "protocol_error", "odd_message", "sender", "retry", "says_odd_message",
       scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, eod="550 5.6.0 Malformed message: a header is broken")


@story("a policy of transport security fails", "dane_mtasts", "policy_old", "there", "retry", "says_mta_sts",
       scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await refused(stage, crew, to, rcpt="450 4.7.5 MTA-STS policy failed")


# ---------------------------------------------------------------- mail without a way


@story("a domain takes no mail", "dns_permanent", "no_mail", "sender", "retry", "takes_no_mail", decided=True)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    crew.names.zones["office.test"] = {"MX": ["0 ."]}
    await stage.connector(to=to)
    await stage.send()


@story("the connector was disabled", "routing_error", "connector_off", "us", "retry", "connector_taken_away",
       connector="", to=("on-premises",), decided=True, words="ann disabled or deleted a connector")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server()
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    await stage.connector(f"127.0.0.1:{server.port}", to=to, enabled=False)
    await stage.send()


@story("the domain is in no connector any more", "routing_error", "no_match", "us", "retry", "domains_changed",
       connector="", to=("on-premises",), decided=True, words="ann changed the domains")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server()
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    await stage.connector(f"127.0.0.1:{server.port}", to=to, domains=["elsewhere.test"])
    await stage.send()
