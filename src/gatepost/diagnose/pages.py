"""Write `docs/failures/` out of the catalogue: `python -m gatepost.diagnose.pages docs/failures`."""

import sys
from collections.abc import Iterator
from pathlib import Path

from gatepost.diagnose.catalogue import Advice, explain
from gatepost.diagnose.classify import TITLES
from gatepost.diagnose.codes import FLOW_CODES
from gatepost.model.failure import FailureClass as C

# the code under which an attempt of our own shows each class; the others keep the server's own code
CODES: dict[C, str] = {
    failure_class: code for failure_class, code in FLOW_CODES.items() if failure_class is not C.DELIVERED
}
_HEADINGS = {
    "en": ("Likely causes", "How to fix it", "code", "class", "Who", "What to do"),
    "zh-CN": ("可能的原因", "解决方法", "代码", "类别", "谁来做", "怎么做"),
}
_PARTNER = {
    "en": "If the connector goes to a partner, contact the partner first.",
    "zh-CN": "如果连接器通往合作伙伴，请首先联系合作伙伴。",
}


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    found = {f"{failure_class}.md": _page(failure_class) for failure_class in C}
    found["README.md"] = _index()
    return found


def _page(failure_class: C) -> str:
    lines = [f"# {explain(failure_class, 'en').title} / {explain(failure_class, 'zh-CN').title}", ""]
    for lang in ("en", "zh-CN"):
        lines += _half(explain(failure_class, lang), CODES.get(failure_class, ""), lang)
    return "\n".join(lines).rstrip() + "\n"


def _half(advice: Advice, code: str, lang: str) -> Iterator[str]:
    causes, fixes, code_word, class_word, who, what = _HEADINGS[lang]
    shown = f"{code_word} `{code}`, " if code else ""
    yield from (
        f"## {advice.title}",
        "",
        f"({shown}{class_word} `{advice.failure_class}`)",
        "",
        advice.explanation,
        "",
    )
    yield from (f"### {causes}", "", *(f"- {cause.text}" for cause in advice.causes), "")
    yield from (f"### {fixes}", "", f"| {who} | {what} |", "| --- | --- |")
    yield from (f"| {fix.owner_name} | {fix.text} |" for fix in advice.fixes)
    yield from ("", _PARTNER[lang], "")


def _index() -> str:
    lines = [
        "# Failures / 故障",
        "",
        "Made out of the catalogue (`src/gatepost/diagnose/texts/`) by",
        "`python -m gatepost.diagnose.pages docs/failures`; a test compares. The wording of the six codes:",
        "",
        *(f"- `450 {code} {title}`" for code, title in TITLES.items()),
        "",
        "| class | code | English | 中文 |",
        "| --- | --- | --- | --- |",
    ]
    for failure_class in C:
        titles = [explain(failure_class, lang).title for lang in ("en", "zh-CN")]
        code = CODES.get(failure_class, "")
        lines.append(f"| [{failure_class}]({failure_class}.md) | {code} | {titles[0]} | {titles[1]} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write all pages into a folder."""
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
