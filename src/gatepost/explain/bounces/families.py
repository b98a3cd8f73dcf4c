# ruff: noqa: E501 (a row of a table is one line)
"""Mail systems that write bounces in words of their own: how to know them, and how they name a recipient.

A family is known by its opening, lower case, runs of white space made one space. In the patterns @@ stands for an
address. Rule: every family shows a sample of its own, and a test reads each.
"""

import re
from typing import NamedTuple

_MARK = "\x01(?P<a>\\d+)\x02"


def pattern(text: str) -> re.Pattern[str]:
    """Return a pattern over marked lines (see `address.mark`)."""
    return re.compile(text.replace("@@", _MARK), re.IGNORECASE)


# an address that stands alone, or first in its line: what a list of failed recipients looks like
LISTED = (
    pattern(r"^\s*(?:[*>•·+-]{1,3}\s+|\d{1,3}[.)]\s+)?[<\"'(\[]*@@[>\"')\]]*[\s.,;]*$"),
    pattern(r"^\s*(?:To\s?:\s?)?[<\"'\[]+@@[>\"'\]]+\s*(?:\([^)]{0,200}\))?\s*[:;]\s*(?P<why>.*)$"),
    pattern(r"^\s*[*>•·-]{0,3}\s*@@\s*[:;]\s*(?P<why>.*)$"),
    pattern(r"^\s*[<\"']?@@[>\"']?\s+[(\[{](?P<why>.+)[)\]}][\s.]*$"),
    pattern(r"^\s*(?:[45]\d\d\s(?:[45]\.\d\.\d{1,3}\s)?)?[<\"']?@@[>\"']?\s*(?:\.{3}|…)\s*(?P<why>.*)$"),
    pattern(r"^\s*[<\"']?@@[>\"']?\s+(?:-{1,2}>?|=>|–)\s+(?P<why>.*)$"),
    pattern(r"^\s*(?P<why>\S[^\x01]{0,200}?)\s+-{2,}>\s*<?@@>?\s*$"),
    pattern(r"^\s*<@@>\s+(?P<why>[^\s,;].*)$"),
    pattern(r"^\s*(?:(?:failed|intended|final|original|undeliverable|invalid)\s+)?(?:recipients?|addresse?s?|e-?mail|user|mailbox|error-for|rejected-for|addressed to|recipient address|failed recipients?\(s\)|rcpt to|could not be delivered to|unable to deliver (?:message|mail) to|收件人|收件人地址|收件者|受信者|宛先|受取人|получатель|empfänger|destinataire|destinatario)(?:\(s\))?\s?[:：]?\s*\[?(?:smtp:)?\s?[<\"']?@@[>\"']?\]?[\s.;,]*(?P<why>.*)$"),
)  # fmt: skip

# an address within a sentence that says what became of the message
SAID = (
    pattern(r"^\s*['\"<]+@@"),
    pattern(r"^\s*(?!from|to|cc|sender|reply-to|subject|date|message-id|user-agent)(?P<why>[^\x01:]{3,120}):\s*<?@@>?[\s.]*$"),
    pattern(r"\b(?:addressed to|for) \(?<?@@"),
    pattern(r"\brcpt to\s?:\s*<?@@"),
    pattern(r"(?:deliver|send|sent|zugestellt|zustellen|remis|remettre|entrega|recapit|доставлен|доставить)\w*\b[^\x01]{0,90}?[\s<\"'(:]@@"),
    pattern(r"@@[^\x01]{0,60}(?:not found|unknown|not exist|n't exist|does not|not deliver|undeliver|n't be|not be|invalid|full|quota|disabled|reject|fail|nicht|non |pas |no se|не |不存在|失败|失敗|拒|满)"),
    pattern(r"(?:unknown|invalid|not found|no such|exist|full|quota|exceed|fail|reject|undeliverable|refus|disabled|inactive|addressed|mailbox|recipient|user|account|address|could not|邮件地址|地址|收件人|用户)\w*[^\x01]{0,60}?[\s<\"'(:：（]@@"),
    pattern(r"@@(?:不存在|は|に)"),
    pattern(r"(?:发送|投递|送达|寄送)(?:到|至|给)\s?[:：]?\s?@@"),
)  # fmt: skip

# the fields of the returned message, repeated in the report
ADDRESSED = (pattern(r"^\s*(?:to|an|à|para|收件人|收件人/to|收件者|宛先|кому)\s?[:：]\s*[^\x01]{0,80}@@"),)


class Family(NamedTuple):
    """One way to write a bounce."""

    name: str
    opening: tuple[str, ...]
    sample: str
    patterns: tuple[re.Pattern[str], ...] = LISTED
    ending: tuple[str, ...] = ()  # phrases after which no more recipients come
    reason_first: bool = False  # the reason stands before the recipients


def _f(
    name: str,
    opening: tuple[str, ...],
    sample: str,
    *patterns: str,
    ending: tuple[str, ...] = (),
    reason_first: bool = False,
) -> Family:
    own = tuple(pattern(text) for text in patterns)
    return Family(name, opening, sample, own or LISTED, ending, reason_first)


FAMILIES = (
    _f(
        "qmail",
        ("this is the qmail-send program", "hi. this is the", "hi. the mta program at", "this is the mail delivery agent at", "we're sorry. there's a problem with", "this is the machine generated message from mail service", "your mail message to the following address", "unfortunately, your mail was not delivered to the following address", "su mensaje no pudo ser entregado", "i'm afraid i wasn't able to deliver your message to the following addresses", "check your send e-mail address", "this is the email server at"),
        "Hi. This is the qmail-send program at mail.example.com.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n<ann@example.org>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 User unknown\nGiving up on 192.0.2.1.\n",
        r"^\s*(?:To\s?:\s?)?<@@>\s?:\s*(?P<why>.*)$",
        r"^\s*<?@@>?\s*$",
        r"^\s*@@\s?:\s*(?P<why>.*)$",
        ending=("--- ", "---\t"),
    ),
    _f(
        "yahoo",
        ("sorry, we were unable to deliver your message to the following address", "unable to deliver message to the following address(es)", "wasn't able to deliver the following message"),
        "Message from yahoo.com.\nUnable to deliver message to the following address(es).\n\n<ann@example.org>:\nThis user doesn't have a example.org account (ann@example.org) [-5]\n",
        r"^\s*<@@>\s?:\s*(?P<why>.*)$",
        r"^\s*To: @@",
    ),
    _f(
        "one and one",
        ("for the following reason:", "the following address failed", "smtp error from remote server"),
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its recipients.\nThe following address failed:\n\n\"ann@example.org\":\nSMTP error from remote server after RCPT command:\nhost: mx.example.org\n550 5.1.1 User unknown\n",
    ),
    _f(
        "zoho",
        ("error_code :", "[status: error, address:"),
        "This message was created automatically by mail delivery software.\nA message that you sent could not be delivered to one or more of its recipients. This is a permanent error.\n\nann@example.org Invalid Address, ERROR_CODE :550, ERROR_CODE :5.1.1 User unknown\n",
        r"^\s*@@\s+(?P<why>.*error_code.*)$",
        r"^\[Status: [^\x01]{0,60}<@@>,\s*(?P<why>.*?)\]?$",
    ),
    _f(
        "exim",
        ("this message was created automatically by mail delivery", "a message that you sent could not be delivered to", "a message that you have sent could not be delivered", "the following address(es) failed", "could not be delivered to one or more of its recipients", "to which the message has not yet been delivered", "a message that you sent contained one or more recipient addresses that were", "was rejected by the local scanning code", "a message that you sent was rejected"),
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  ann@example.org\n    host mx.example.org [192.0.2.1]: 550 5.1.1 User unknown\n",
        r"^\s*[<\"']?@@[>\"']?\s*$",
        r"^\s*[<\"']?@@[>\"']?\s?:\s*(?P<why>.*)$",
        r"^\s+@@ <[^>]{0,80}>\s?:\s*(?P<why>.*)$",
        r"^\s+\(generated from @@\)\s*$",
        r"^\s+generated by @@\s*$",
        r"addressed to '@@'",
        r"^\s*rcpt to:\s*<@@>",
    ),
    _f(
        "postfix",
        ("the postfix program", "the mail system at host", "postfix on", "the bns postfix program", "the keftamail program", "smtp_gateway program", "if you do so, please include this problem report", "the message returned below could not be delivered", "your message could not be delivered to one or more recipients"),
        "This is the mail system at host mail.example.com.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients. It's attached below.\n\n<ann@example.org>: host mx.example.org[192.0.2.1] said: 550 5.1.1 User unknown (in\n    reply to RCPT TO command)\n",
        r"^\s*<@@>\s*(?:\([^)]{0,300}\))?\s?:\s*(?P<why>.*)$",
    ),
    _f(
        "exchange 2007",
        ("diagnostic information for administrators", "diagnoseinformationen für administratoren", "informations de diagnostic pour les administrateurs", "información de diagnóstico para los administradores", "información de diagnóstico para administradores", "informazioni di diagnostica per gli amministratori", "informações de diagnóstico para administradores", "diagnostische gegevens voor beheerders", "diagnostische informatie voor beheerders", "informacje diagnostyczne dla administratorów", "диагностические сведения для администраторов", "диагностическая информация для администраторов", "diagnostikinformation för administratörer", "diagnostisk information til administratorer", "diagnostikkinformasjon for administratorer", "diagnostické informace pro správce", "yöneticiler için tanı bilgileri", "管理者向けの診断情報", "管理者向け診断情報", "供管理员使用的诊断信息", "面向管理员的诊断信息", "管理员诊断信息", "系統管理員的診斷資訊", "管理者的診斷資訊", "관리자용 진단 정보", "관리자를 위한 진단 정보"),
        "Delivery has failed to these recipients or groups:\n\nAnn\nThe e-mail address you entered couldn't be found.\n\nDiagnostic information for administrators:\n\nGenerating server: mail.example.com\n\nann@example.org\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n\nOriginal message headers:\n",
        r"^\s*<?@@>?\s*$",
        r"^\s*@@\s+(?P<why>(?:[\w.-]+ )?#.*)$",
    ),
    _f(
        "exchange 5.5",
        ("did not reach the following recipient", "the following recipient(s) could not be reached", "did not reach some or all of the intended recipients", "die folgenden empfänger konnten nicht erreicht werden", "konnten folgende empfänger nicht erreichen", "hat einige oder alle empfänger nicht erreicht", "n'a pas pu être remis à certains ou à tous", "n'a pas atteint certains ou tous les destinataires", "no se pudo entregar a algunos o todos los destinatarios", "no ha llegado a algunos o a todos los destinatarios", "您的邮件未传递到某些或所有收件人", "無法傳達給某些或所有收件者", "次の受信者に配信されませんでした", "un ou plusieurs destinataires n'ont pas pu", "non ha raggiunto alcuni o tutti i destinatari"),
        "Your message\n\n  To:      ann@example.org\n  Subject: Hello\n  Sent:    Thu, 29 Apr 1999 18:14:35 -0500\n\ndid not reach the following recipient(s):\n\nann@example.org on Thu, 29 Apr 1999 18:14:51 -0500\n    The recipient name is not recognized\n\tMSEXCH:IMS:EXAMPLE:EXCHANGE:MAIL 0 (000C05A6) Unknown Recipient\n",
        r"^\s*[^\x01]{0,160}?@@['\">]?;?\s+(?:on|am|le|el|il|op|em|den|в)\s+\S{0,20}\d",
        r"^\s*[^\x01]{0,160}?@@['\">]?;?\s+on\s+(?:mon|tue|wed|thu|fri|sat|sun)",
        r"^\s*['\"<]?@@['\">]?[\s;,]*$",
        r"^\s*['\"<]?@@['\">]?\s?:\s*(?P<why>.*)$",
        r"^\s*Failed Recipient: @@",
    ),
    _f(
        "domino",
        ("was not delivered to:", "nicht zugestellt an:", "n'a pas été distribué à", "n'a pas été remis à :", "no se ha entregado a:", "non è stato recapitato a", "に配信されませんでした", "未传递到:", "cannot be delivered to:"),
        "Your message\n\n  Subject: Hello\n\nwas not delivered to:\n\n  ann@example.org\n\nbecause:\n\n  User ann (ann@example.org) not listed in Domino Directory\n",
        r"^\s*<?@@>?[\s,]*$",
        r"not delivered to:?\s*<?@@(?P<why>)",
        ending=("because:", "weil:", "car:", "car :", "porque:", "perché:", "理由", "原因"),
    ),
    _f(
        "notes",
        ("------- failure reasons",),
        "------- Failure Reasons  --------\n\nUser not listed in public Name & Address Book\nann@example.org\n\n------- Returned Message --------\n",
        r"^\s*<?@@>?\b",
    ),
    _f(
        "groupwise",
        ("the message that you sent was undeliverable to the following", "the following recipients did not receive this message", "the message could not be delivered to the following"),
        "The message that you sent was undeliverable to the following:\n\tann@example.org (user not found)\n\nPossibly truncated original message follows:\n",
        r"^\s*<?@@>?\s*(?:\((?P<why>.*)\))?[\s.]*$",
        r"^\s+(?P<local>[\w.+'-]{1,64})\s+\((?P<why>.*)\)\s*$",
        r"^\s*<@@>",
    ),
    _f(
        "aol",
        ("your mail to the following recipients could not be delivered", "mail to the following recipients could not be delivered"),
        "Your mail to the following recipients could not be delivered because they are not accepting mail from ann@example.com:\n\nbob\n",
        r"^\s*@@\s*$",
        r"^\s*(?P<local>[A-Za-z][\w.]{1,40})\s*$",
    ),
    _f(
        "compuserve",
        ("receiver not found:",),
        "Receiver not found: ann\n\nYour message could not be delivered as addressed.\n",
        r"^\s*Receiver not found:\s*@@",
        r"^\s*(?P<why>Receiver not found):\s*(?P<local>[\w.-]{1,64})\s*$",
    ),
    _f(
        "google",
        ("delivery to the following recipient", "your message wasn't delivered to", "** address not found **", "** message not delivered **", "** message blocked **", "** delivery incomplete **", "there was a problem delivering your message to", "there was a temporary problem delivering your message to", "your message has been blocked", "your message couldn't be delivered to", "the group you tried to contact", "del(i|e)very to the following recipients"),
        "Delivery to the following recipient failed permanently:\n\n     ann@example.org\n\nTechnical details of permanent failure:\nGoogle tried to deliver your message, but it was rejected by the server for the recipient domain example.org by mx.example.org. [192.0.2.1].\n\nThe error that the other server returned was:\n550 5.1.1 User unknown\n",
        r"^\s*[*\s]{0,4}<?@@>?[\s.]*$",
        r"(?:delivered|delivering|deliver|blocked|sent|message) (?:your message )?to @@(?P<why>.*)$",
        r"^\s*@@: (?P<why>.*)$",
    ),
    _f(
        "hmailserver",
        ("error type: smtp", "hmailserver", "hmailserver sent:"),
        "Your message did not reach some or all of the intended recipients.\n\n   Sent: Mon, 1 Feb 2010 10:00:00 +0100\n   Subject: Hello\n\nThe following recipient(s) could not be reached:\n\nann@example.org\n   Error Type: SMTP\n   Remote server (192.0.2.1) issued an error.\n   hMailServer sent: RCPT TO:<ann@example.org>\n   Remote server replied: 550 5.1.1 User unknown\n",
        r"^\s*<?@@>?\s*$",
    ),
    _f(
        "mailenable",
        ("message could not be delivered to some recipients", "could not deliver message to the following recipient", "the following recipient(s) could not be reached"),
        "Message could not be delivered to some recipients.\nThe following recipient(s) could not be reached:\n\n\tRecipient: [SMTP:ann@example.org]\n\tReason: Remote SMTP Server Returned: 550 5.1.1 User unknown\n",
        r"^\s*(?:Failed )?Recipient:\s*\[?(?:SMTP:)?<?@@>?\]?",
    ),
    _f(
        "mdaemon",
        ("the following addresses did not receive a copy of your message", "permanent fatal delivery errors", "permanent delivery errors", "transient delivery errors", "- no such user here", "your message was not delivered to one or more recipients"),
        "The attached message had PERMANENT fatal delivery errors!\n\nFailed address: ann@example.org\n\n--- Session Transcript ---\n <-- 550 5.1.1 User unknown\n --- End Transcript ---\n",
        r"^\s*>\s*@@",
        r"^\s*Failed address(?:es)?:\s*<?@@",
        r"^\s*@@ - (?P<why>no such user here.*)$",
        r"^\s*<?@@>?\s*$",
    ),
    _f(
        "imail",
        ("undeliverable to ", "unknown user: ", "user mailbox exceeds allowed size: ", "invalid final delivery userid: ", "delivery failed ", "delivery userid"),
        "Unknown user: ann@example.org\n\nOriginal message follows.\n",
        r"^\s*(?P<why>undeliverable +to|(?:user mailbox|delivery failed|unknown user|invalid final delivery userid|delivery userid|smtp connection failed|unknown host)[^:\x01]{0,80}):?\s*<?@@",
        r"^\s*@@\s*$",
    ),
    _f(
        "smail",
        ("failed addresses follow:",),
        "|------------------------- Failed addresses follow: ---------------------|\n <ann@example.org> ... unknown user\n|------------------------- Message text follows: -----------------------|\n",
        r"^\s*<?@@>?\s*(?:\.{3}\s*(?P<why>.*))?$",
        r"^\s*<?@@>?\s?:\s*(?P<why>.*)$",
    ),
    _f(
        "courier",
        ("undeliverable mail", "delays in delivering your message", "your message to the following recipients cannot be delivered"),
        "UNDELIVERABLE MAIL\n\nYour message to the following recipients cannot be delivered:\n\n<ann@example.org>:\n    mx.example.org [192.0.2.1]:\n>>> RCPT TO:<ann@example.org>\n<<< 550 5.1.1 User unknown\n",
        r"^\s*<@@>\s?:\s*(?P<why>.*)$",
        r"^\s*<?@@>?\s*$",
        r"^\s*@@\s?:\s*(?P<why>.*)$",
    ),
    _f(
        "james",
        ("error message below:", "failed recipient(s):"),
        "Hi. This is the James mail server at example.com.\n\nError message below:\n550 - Requested action not taken: no such user here\n\nMessage details:\n  Subject: Hello\n  MAIL FROM: bob@example.com\n  RCPT TO: ann@example.org\n",
        r"^\s*RCPT TO:\s*<?@@",
        r"^\s*<?@@>?\s*$",
    ),
    _f(
        "opensmtpd",
        ("this is the mailer-daemon, please do not reply",),
        "    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\n    An error has occurred while attempting to deliver a message for\n    the following list of recipients:\n\nann@example.org: 550 5.1.1 User unknown\n",
        r"^\s*<?@@>?\s?:\s*(?P<why>.*)$",
        r"^\s*<?@@>?\s*$",
    ),
    _f(
        "dma",
        ("there was an error delivering your mail to",),
        "This is the DragonFly Mail Agent v0.13 at example.com.\n\nThere was an error delivering your mail to <ann@example.org>.\n\nmx.example.org [192.0.2.1] did not like our RCPT TO:\n552 5.2.2 Mailbox full\n\nOriginal message follows.\n",
        r"delivering your mail to <@@>(?P<why>)",
    ),
    _f(
        "sun",
        ("this report relates to a message you sent with the following header fields", "recipient address: "),
        "This report relates to a message you sent with the following header fields:\n\n  Message-id: <1@example.com>\n  To: ann@example.org\n\nYour message cannot be delivered to the following recipients:\n\n  Recipient address: ann@example.org\n  Reason: Remote SMTP server has rejected address\n  Diagnostic code: smtp;550 5.1.1 User unknown\n  Remote system: dns;mx.example.org (TCP|198.51.100.1|47323|192.0.2.1|25) (mx.example.org ESMTP)\n",
        r"^\s*Recipient address:\s*<?@@",
    ),
    _f(
        "netscape",
        ("this message was undeliverable due to the following reason", "each of the following recipients was rejected by a remote mail server", "the user(s) account is", "your message was not delivered within", "the following destination addresses were unknown"),
        "This Message was undeliverable due to the following reason:\n\nThe user(s) account is temporarily over quota.\n\n<ann@example.org>\n\nPlease reply to <postmaster@example.org>\nif you feel this message to be in error.\n",
        r"^\s*<@@>\s*$",
        r"^\s*<@@>\s?:\s*(?P<why>.*)$",
        r"^\s*Recipient:\s*<?@@",
        r"^\s*@@\s*$",
        ending=("please reply to",),
    ),
    _f(
        "kddi",
        ("your mail sent on", "your mail attempted to be delivered on"),
        "Your mail sent on: Thu, 29 Apr 2010 11:04:47 +0900\n    Could not be delivered to: <ann@example.org>\n    As their mailbox is full.\n",
        r"delivered to\s?:\s*<?@@",
    ),
    _f(
        "biglobe",
        ("the following addresses had delivery problems", "following addresses had delivery errors", "the following addresses had permanent errors"),
        "   ----- The following addresses had delivery problems -----\nann@example.org\n\n   ----- Non-delivered information -----\nThe number of messages in recipient's mailbox exceeded the local limit.\n",
        r"^\s*<?@@>?\s*$",
        r"^\s*<?@@>?\s+[(\[](?P<why>.*)[)\]]\s*$",
    ),
    _f(
        "m-filter",
        ("-------server message", "以下のメールアドレスへの送信に失敗しました"),
        "以下のメールアドレスへの送信に失敗しました。\nann@example.org\n\n-------server message\n550 5.1.1 unknown user <ann@example.org>\n\n-------SMTP command\nDATA\n\n-------original message\n",
        r"^\s*@@\s*$",
        ending=("-------smtp command",),
    ),
    _f(
        "interscan",
        ("message from interscan", "received >>> ", "received <<< ", "sent <<< rcpt", "sent >>> rcpt", "unable to deliver message to"),
        "Sent <<< RCPT TO:<ann@example.org>\nReceived >>> 550 5.1.1 User unknown\n\nUnable to deliver message to <ann@example.org>.\n",
        r"(?:Sent|送信)\s*[<>]{3}\s*RCPT TO:\s*<@@>",
        r"Unable to deliver (?:message|mail) to:?\s*<?@@",
        r"^\s*>>> RCPT TO:\s*<@@>",
    ),
    _f(
        "surfcontrol",
        ("a transcript of the attempts to send the message follows",),
        "Your message could not be sent.\nA transcript of the attempts to send the message follows.\nThe number of attempts made: 1\nAddressed To: ann@example.org\n\nThu 29 Apr 2010 23:34:45 +0900\nFailed to send to identified host,\nann@example.org: [192.0.2.1], 550 ann@example.org... No such user\n",
        r"^\s*Addressed To:\s*<?@@",
    ),
    _f(
        "mailmarshal",
        ("the following recipients were affected", "could not be delivered because of"),
        "Your message:\n   From:    bob@example.com\n   Subject: Hello\n\nCould not be delivered because of\n\n550 5.1.1 User unknown\n\nThe following recipients were affected:\n   ann@example.org\n",
        r"^\s+<?@@>?\s*$",
        ending=("additional information",),
        reason_first=True,
    ),
    _f(
        "messagelabs",
        ("this is the mail delivery agent at messagelabs.com",),
        "This is the mail delivery agent at messagelabs.com.\nI was unable to deliver your message to the following addresses:\n\nann@example.org\n\nReason: 550 5.1.1 User unknown\n",
        r"^\s*<?@@>?\s*$",
    ),
    _f(
        "mimecast",
        ("that you attempted to send to the following address could not be delivered", "attempted to send to the following addresses could not be delivered"),
        "An email that you attempted to send to the following address could not be delivered:\n-- ann@example.org\n\nThe problem appears to be :\n-- Recipient email address is possibly incorrect\n\nAdditional information follows :\n-- 5.4.1 Recipient address rejected: Access denied.\n",
        r"^\s*-- @@\s*$",
        r"^\s*@@\s*$",
    ),
    _f(
        "powermta",
        ("hello, this is the mail server on",),
        "Hello, this is the mail server on mail.example.com.\n\nI am sending you this message to inform you on the delivery status of a\nmessage you previously sent.\n\n  <ann@example.org>  delivery failed; will not continue trying\n",
        r"^\s*<@@>\s+(?P<why>delivery .*)$",
    ),
    _f(
        "communigate",
        ("failed to deliver to '",),
        "Failed to deliver to 'ann@example.org'\nSMTP module(domain example.org) reports:\n host mx.example.org says:\n 550 5.1.1 User unknown\n",
        r"failed to deliver to '<?@@",
    ),
    _f(
        "mcafee",
        ("--- the following addresses had delivery problems ---",),
        "   --- The following addresses had delivery problems ---\n\n<ann@example.org>   (User unknown ann@example.org)\n",
        r"^\s*<@@>\s+\((?P<why>.*)\)\s*$",
        r"^\s*<@@>\s*$",
    ),
    _f(
        "lsmtp",
        ("--> error description:",),
        "--> Error description:\n\nError-for:  ann@example.org\nError-Code: 3\nError-Text: No such user: ann.\n\nError-End: One error reported.\n",
        r"^\s*Error-for:\s*<?@@",
        ending=("error-end:",),
    ),
    _f(
        "dovecot",
        ("was automatically rejected",),
        "Your message to <ann@example.org> was automatically rejected:\nQuota exceeded (mailbox for user is full)\n",
        r"message to <?@@>? was automatically rejected:?\s*(?P<why>.*)$",
    ),
    _f(
        "barracuda",
        ("was blocked by our spam firewall",),
        "Your message to: ann@example.org\nwas blocked by our Spam Firewall. The email you sent with the following subject has NOT BEEN DELIVERED:\n\nSubject: Hello\n",
        r"Your message to:?\s*<?@@",
    ),
    _f(
        "netease",
        ("您的邮件被退回", "系统退信", "您的邮件无法投递", "您的邮件未能", "你的邮件被退回", "邮件被退回", "退信原因", "您發送的郵件無法", "無法寄達"),
        "抱歉，您的邮件被退回来了……\n原邮件信息：\n时  间：2013-07-25 14:33:40\n主  题：你好\n收件人：ann@example.org\n退信原因：\n收件人邮箱地址不存在\n英文说明：host mx.example.org[192.0.2.1] said: 550 User not found\n",
        r"^\s*(?:收\s?件\s?人|收件人邮箱|收件人地址|收件者|收件人/To)[^\x01]{0,20}[:：]?\s*[^\x01]{0,60}@@",
        r"^\s*<?@@>?\s?[:：]?\s*(?P<why>.*)$",
        r"收件人[^\x01]{0,20}[（(]@@",
    ),
    _f(
        "softbank",
        ("次のあて先へのメッセージはエラーのため送信できませんでした", "送信先メールアドレスが見つかりません", "メールを送信できませんでした", "メッセージを配信できません", "以下の宛先に", "下記の宛先", "お送りしたメールは"),
        "次のあて先へのメッセージはエラーのため送信できませんでした。\n送信先メールアドレスが見つかりません\n  ann@example.org\n",
        r"^\s*<?@@>?\s*$",
        r"(?:宛先|あて先|受信者|メールアドレス)[^\x01]{0,20}[:：]\s*<?@@",
        r"^\s*<@@>\s?[:：]?\s*(?P<why>.*)$",
    ),
    _f(
        "error list",
        ("error(s):", "rejected recipient <"),
        "1 error(s):\n\nSMTP Server <mx.example.org> rejected recipient <ann@example.org> (Error following RCPT command). It responded as follows: [550 5.1.1 User unknown]\n",
        r"^(?P<why>.*rejected recipient <@@>.*)$",
        r"returned permanent errors:\s*@@",
    ),
    _f(
        "fml",
        ("duplicated message-id in <", "has detected a loop condition", "you are not a member of this mailing list"),
        "Duplicated Message-ID in <ann@example.org>.\n\nOriginal mail as follows:\n",
        r"^(?P<why>.*\bin <@@>\..*)$",
    ),
    _f(
        "mercury",
        ("the local mail transport system has reported the following problems",),
        "With reference to your message with the subject:\n   \"Hello\"\n\nThe local mail transport system has reported the following problems\nit encountered while trying to deliver your message:\n\n-----\n*** ann@example.org\n550 5.1.1 User unknown\n-----\n",
        r"^\s*\*{3}\s*<?@@",
    ),
    _f(
        "korean",
        ("전송하지 못", "전송에 실패", "메일이 반송", "배달하지 못", "전송되지 못", "보내신 메일"),
        "보내신 메일이 아래의 이유로 전송되지 못했습니다.\n\n받는사람: ann@example.org\n사유: 550 5.1.1 User unknown\n",
        r"(?:받는\s?사람|수신자|받는이)[^\x01]{0,20}@@",
        r"^\s*<?@@>?\s*[:：]?\s*(?P<why>.*)$",
    ),
    _f(
        "symantec",
        ("delivery attempts will continue to be made", "your message with subject:"),
        "Your message with Subject: Hello has not been delivered to these recipients:\n\nann@example.org\n\nDelivery attempts will continue to be made for 4 days.\n",
        r"^\s*<?@@>?\s*$",
    ),
    _f(
        "ironport",
        ("the reason for the problem:",),
        "The following message to <ann@example.org> was undeliverable.\nThe reason for the problem:\n5.1.0 - Unknown address error 550-'5.1.1 User unknown'\n",
        r"message to <@@> was undeliverable",
    ),
    _f(
        "content filter",
        ("considered unsolicited bulk", "our content checker found", "banned contents alert", "our internal reference code for your message"),
        "A message from <bob@example.com> to: ann@example.org\n\nwas considered unsolicited bulk e-mail (UBE).\n\nDelivery of the email was stopped!\n",
        r"^\s*-> <?@@",
        r"\bto:\s*<?@@",
    ),
    _f(
        "directory",
        ("the address to which your message was addressed",),
        "The address to which your message was addressed, ann@example.org, did not exactly match an address here.\n",
        r"was addressed, <?@@>?,?\s*(?P<why>.*)",
    ),
    _f(
        "others",
        ("here is your list of failed recipients", "your message adressed to", "the requested destination was:", "your mail item could not be delivered to the following users", "rejected-for:", "unable to deliver following mail to recipient(s)", "unable to deliver mail to the following recipient", "message not delivered to recipients below", "one or more addresses in your message have failed", "the following recipients haven't received this message", "the message you tried to send to", "this message was returned to you for the following reason", "session transcription follow", "the destination mailbox", "------ failed recipients ------", "the following address failed:", "the following recipients failed", "the email below could not be delivered to the following user", "message not delivered to the following", "your message has encountered delivery problems", "this is the deliver program at", "undeliverable address:", "intended recipient:", "user's mailbox is full:", "sorry, unable to deliver your message to", "a message could not be delivered to:", "this is a delivery failure notification message", "your message could not be delivered to", "your message could not be delivered", "your message cannot be delivered", "your message was not delivered", "an error occurred while trying to deliver the mail to the following recipients", "the following message to <", "delivery to the following recipients was aborted", "delivery to the following recipients failed", "this is an automatically generated delivery status notification", "this is an advisory-only email", "the following addresses had permanent", "could not deliver mail to this user", "message could not be delivered to mobile", "the following recipients returned permanent errors", "there was a problem sending your mail", "you sent mail to", "we were unable to deliver your m", "we could not deliver your m", "your e-mail could not be delivered", "your email could not be delivered", "your email was not delivered", "your mail could not be delivered", "this is an automatic notification that your message", "delivery has failed to these recipients", "delivery has failed to the following", "zustellung an folgende", "folgende empfänger", "wurde nicht an folgende", "die nachricht konnte nicht zugestellt werden", "ihre nachricht konnte nicht", "votre message n'a pas", "votre message n'a pu", "ваше письмо не", "ваше сообщение не", "письмо не может быть доставлено", "传递邮件失败", "传递到以下收件人", "への配信が失敗", "への配信に失敗", "无法发送到", "无法投递到", "无法送达以下"),
        "Your message could not be delivered to:\n\nann@example.org\n\n550 5.1.1 User unknown\n",
    ),
)  # fmt: skip
