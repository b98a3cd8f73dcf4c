# ruff: noqa: E501 (a row of a table is one line)
"""Words by which bounces, delay notices and their ends are known, in the languages that mail systems speak.

All phrases are lower case; texts are compared with runs of white space made one space.
"""

import re

# the message did not arrive, whoever says it
FAILURE = (
    "could not be delivered",
    "couldn't be delivered",
    "cannot be delivered",
    "can not be delivered",
    "can't be delivered",
    "could not deliver",
    "couldn't deliver",
    "cannot deliver",
    "was not delivered",
    "wasn't delivered",
    "not been delivered",
    "were not delivered",
    "not delivered",
    "not be sent",
    "unable to deliver",
    "unable to send",
    "undeliverable",
    "undelivered",
    "non-deliver",
    "nondeliver",
    "not deliverable",
    "delivery failed",
    "delivery failure",
    "delivery has failed",
    "delivery of your message",
    "delivery error",
    "delivery problem",
    "failed delivery",
    "failed to deliver",
    "failed to reach",
    "failed recipient",
    "failed address",
    "did not reach",
    "didn't reach",
    "could not be reached",
    "could not be sent",
    "did not receive",
    "has been returned",
    "is returned",
    "returned to sender",
    "returned mail",
    "returned message",
    "bounced",
    "was rejected",
    "been rejected",
    "is being returned",
    "delivery report",
    "delivery status",
    "user unknown",
    "unknown user",
    "no such user",
    "invalid recipient",
    "invalid final delivery",
    "address not found",
    "not listed in",
    "fatal error",
    "permanent error",
    "mail error",
    "considered unsolicited bulk",
    "delivery of the email was stopped",
    "has not yet been delivered",
    "has been delayed",
    "will be retried",
    "konnte nicht zugestellt",
    "nicht zugestellt",
    "unzustellbar",
    "zustellung fehlgeschlagen",
    "nicht übermittelt",
    "nicht erreicht",
    "n'a pas pu être",
    "n'a pas été remis",
    "n'a pu être",
    "non remis",
    "non délivré",
    "échec de la remise",
    "échec de remise",
    "impossible de remettre",
    "no se ha podido entregar",
    "no se pudo entregar",
    "no pudo ser entregado",
    "no ha podido ser entregado",
    "no entregado",
    "error de entrega",
    "no se entregó",
    "não foi entregue",
    "não pôde ser entregue",
    "não pode ser entregue",
    "falha na entrega",
    "non è stato possibile",
    "non recapitabile",
    "mancato recapito",
    "recapito non riuscito",
    "kon niet worden",
    "niet bezorgd",
    "onbestelbaar",
    "kunde inte levereras",
    "kunne ikke leveres",
    "ei voitu toimittaa",
    "nie można dostarczyć",
    "nie została dostarczona",
    "niedostarczon",
    "nelze doručit",
    "nedoručiteln",
    "не может быть доставлено",
    "не доставлено",
    "недоставлен",
    "не удалось доставить",
    "не было доставлено",
    "teslim edilemedi",
    "退信",
    "退回",
    "退件",
    "无法投递",
    "無法投遞",
    "无法送达",
    "無法送達",
    "无法发送",
    "無法寄出",
    "未能送达",
    "未送达",
    "未能投递",
    "投递失败",
    "传递失败",
    "传递邮件失败",
    "发送失败",
    "寄送失敗",
    "配信できません",
    "配信不能",
    "配信に失敗",
    "配信エラー",
    "送信できません",
    "送信に失敗",
    "届けられません",
    "お届けできません",
    "配達できません",
    "配送できません",
    "受信できません",
    "宛先不明",
    "전송 실패",
    "전송하지 못",
    "배달되지",
    "배달할 수 없",
    "반송",
)

# the message waits; nothing is lost yet
DELAY = (
    "delivery to the following recipient has been delayed",
    "delivery to the following recipients has been delayed",
    "delivery is delayed",
    "has been delayed",
    "have been delayed",
    "is delayed",
    "was delayed",
    "delayed for more than",
    "delays in delivering",
    "delayed mail",
    "not yet been delivered",
    "not been delivered yet",
    "not delivered yet",
    "still undelivered after",
    "still being attempted",
    "still trying",
    "will keep trying",
    "will continue to try",
    "will continue trying",
    "will be retried",
    "will retry for",
    "will retry the delivery",
    "delivery attempts will continue",
    "attempts to deliver the message will continue",
    "this is a warning message only",
    "this is an advisory-only",
    "this is just a warning",
    "only a temporary failure report",
    "transient non-fatal errors",
    "transient delivery errors",
    "could not send message for past",
    "temporary problem delivering",
    "do not need to resend",
    "need not resend",
    "has been postponed",
    "enqueued and undelivered for",
    "verzögert sich",
    "noch nicht zugestellt",
    "verzögerung bei der zustellung",
    "n'a pas encore été",
    "a été retardé",
    "se ha retrasado",
    "aún no se ha entregado",
    "in ritardo",
    "ainda não foi entregue",
    "еще не доставлено",
    "доставка задерживается",
    "延迟",
    "延遲",
    "遅延",
    "まだ配信されて",
)

# that the message waited for is over: no delay notice, whatever else it says
FINAL = (
    "this is a permanent error",
    "permanent fatal error",
    "permanent delivery failure",
    "i've given up",
    "giving up",
    "will not be retried",
    "will not try again",
    "not going to try again",
    "no further attempts",
    "no further delivery attempts",
    "has been removed from the queue",
    "will be deleted from queue",
    "failed permanently",
    "could not be delivered within",
)

EXPIRED = (
    "message expired",
    "delivery expired",
    "delivery time expired",
    "envelope expired",
    "retry timeout exceeded",
    "in the queue too long",
    "queue lifetime",
    "for too long",
    "maximum queue time",
    "message timed out",
    "retry time not reached for any host after a long failure",
    "all hosts have been failing for a long time",
    "unable to deliver this message after",
    "expired after",
    "was not delivered within",
    "could not be delivered within",
    "retries exceeded",
    "maximum retries",
    "number of retries",
    "too many delivery attempts",
)

# what a subject of a bounce looks like (lower case, after decoding)
SUBJECT = re.compile(
    r"""undeliver|undelivrable|undelivered|un-?deliverable|non[- ]?deliver|not\ (?:be\ )?deliver|nondeliverable
    |unable\ to\ deliver|could\ not\ (?:be\ )?(?:deliver|send|sent)|couldn.t\ deliver|cannot\ deliver
    |delivery\ (?:status|failure|failed|has\ failed|problem|error|report|notification|notice|delayed|of\ your|unsuccessful|attempt)
    |deliver(?:y|ing)?\b.*\b(?:fail|error|delay|problem|unsuccess)
    |fail(?:ed|ure)?\b.*\b(?:deliver|notice|mail|message|recipient)|failure\ notice|failure\ delivery
    |mail\ (?:delivery|failed|failure|error|system\ error|status|undeliverable|could\ not)|message\ (?:status|delivery|delayed|undeliverable|could\ not|not\ deliver|failure|you\ sent|returned|rejected|blocked|frozen)
    |e-?mail\ (?:delivery|could\ not|error|rejected|not\ delivered|undeliverable)
    |return(?:ed)?(?:\ to\ sender|\ (?:e-?)?mail|\ message|ing\ message)|rejected\ mail|mail\ rejected|^\W*bounced?\b
    |warning:?\ (?:message|could\ not\ send|mail)|\bdelayed\b|still\ undelivered|problem\ (?:delivering|with\ (?:your\ )?(?:mail|message))|error\ sending\ your\ mail
    |sorry,\ your\ message|mail(?:er)?[- ]daemon|\bndr\b|\bndn\b|\bdsn\b|nondelivery|permanent\ (?:delivery\ )?(?:failure|error)
    |considered\ unsolicited|banned\ contents?\ (?:from|in)|virus\ \(?.{0,60}\)?\ ?(?:in\ mail\ )?from\ you
    |user\ unknown|address\ not\ found|invalid\ (?:recipient|address)|transport\ error|postmaster\ notify|unknown\ (?:user|recipient|address)
    |unzustellbar|nicht\ (?:zugestellt|zustellbar)|zustell(?:ung|fehler|bericht)|fehlgeschlagen|r.ckl.ufer
    |non\ remis|non\ d.livr|non-?remise|.chec\ de\ (?:la\ )?(?:remise|distribution|livraison)|retour\ .\ l.exp.diteur|message\ non\ distribu
    |no\ (?:se\ (?:pudo|puede|ha\ podido)\ )?entrega|no\ entregado|error\ (?:de|en\ la)\ entrega|devuelto|imposible\ entregar
    |n.o\ (?:foi\ )?entreg|falha\ na\ entrega|devolvid|retorno\ de\ mensagem|erro\ no\ envio
    |non\ recapit|mancat[oa]\ (?:recapito|consegna)|recapito|onbestelbaar|niet\ bezorgd|kan\ ikke\ leveres|ej\ levererat|olevererbart
    |niedostarcz|zwrot|nedoru|kézbesít|недостав|не\ доставлен|ошибка\ доставки|доставк|возвра|teslim
    |退信|退回|退件|投递|投遞|未送达|未送達|传递|传送失败|发送失败|无法|無法|寄送失敗|配信|送信(?:エラー|できません|失敗)|配達|エラーメール|宛先不明|不達|届|반송|배달|전송""",
    re.IGNORECASE | re.VERBOSE,
)

# where the original begins, or where the machine stops speaking; matched at the start of a line, lower case
ORIGINAL = re.compile(
    r"""[\s>|*_=+-]*(?:
     (?:this\ is\ a\ copy|here\ is\ (?:a\ copy|your\ returned)|below\ (?:this\ line|the\ next\ line|is\ a\ copy)|included\ is\ a\ copy|a\ copy\ of\ (?:the|your)|copy\ of\ (?:the|your)|enclosed\ (?:is|are))\b.*(?:message|mail|header|line)
    |(?:the\ )?(?:original|returned|unsent|undelivered|rejected|bounced|old|failed|possibly\ truncated\ original)\ (?:message|mail|e-?mail)s?(?:\ (?:text|headers?|body|attached|follows?|below|is|as|info|details|contents?|starts?|begins|included|header\ follows))*\b\W{0,40}$
    |(?:the\ )?(?:header|headers|text|body|first\ \d+\ (?:bytes|lines|characters)|header\ and\ top\ \d+\ lines)\ of\ (?:the|your)\ (?:original\ )?(?:message|mail)\b.*
    |message\ (?:headers?|text|header\ section|body|contents?)\ (?:follows?|below|is|are)\b.*
    |start\ of\ returned\ message
    |your\ (?:original\ )?(?:message|mail)\ (?:reads|follows|is\ (?:attached|enclosed|included)|was:|begins|headers)\b.*
    |-{2,}\s*(?:original|forwarded|returned)\ (?:message|mail)
    |original(?:\ |nachricht|meldung).{0,20}(?:header|kopfzeilen).{0,10}:\s*$
    |ursprüngliche\ (?:nachricht|kopfzeilen|nachrichtenkopfzeilen).{0,30}:?\s*$
    |en-t.tes\ (?:de|du)\ message\ d.origine.{0,5}:?\s*$|encabezados\ (?:de|del)\ mensaje\ original.{0,5}:?\s*$|cabeçalhos\ de\ mensagem\ origina.{0,10}:?\s*$
    |intestazioni\ (?:del\ messaggio\ originale|originali).{0,10}:?\s*$|originele\ berichtkoppen.{0,5}:?\s*$|oryginalne\ nagłówki.{0,20}:?\s*$|исходные\ заголовки.{0,20}:?\s*$
    |原始邮件头|原始郵件標頭|邮件头|元のメッセージ(?:\ ?ヘッダー)?|元のメール|原信|원본\ 메시지
    |original\ e?-?mail\ as\ follows|no\ message\ was\ collected|the\ attachment\ contains\ the\ original
    )""",
    re.IGNORECASE | re.VERBOSE,
)

# the header of the original, without any line that announces it
ORIGINAL_HEADER = re.compile(
    r"(?:return-path|received|x-received)\s?:\s*\S|content-type\s?:\s*(?:message/|text/rfc822)", re.IGNORECASE
)
