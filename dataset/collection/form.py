"""Filling in the texts that go with filming: the consent form and the checklist."""

from __future__ import annotations

import html
import re
from datetime import date
from importlib.resources import files

from dataset.collection.checks import content, facts
from dataset.collection.collection import Collection
from dataset.collection.records import SCOPES

#: What each purpose means, in words for the person who signs.
PURPOSES = {
    "train": "computer models may learn from the recordings: models that draw people, and models that detect fakes",
    "synthesise": "synthetic videos may be made that show me, with movements of other people, and my movements may be "
    "given to synthetic videos of other people who agreed to it",
    "publish": "the recordings, the key points and the synthetic videos may be published in a data set for research",
    "commercial": "companies may use the data set, and what was learnt from it, in products",
}
#: Where in Unicode's private use area escaped ASCII signs wait.
_ASIDE = 0xE000
_BLANK = "______________________________"


def consent_form(
    collection: Collection,
    subject: str,
    *,
    name: str = "",
    scope: tuple[str, ...] = SCOPES,
    jurisdiction: str = "",
    signed: str = "",
    expires: str | None = None,
    contact: str = "",
) -> str:
    """The consent form for one subject as Markdown; what is not known yet is left blank to be filled in by hand.

    Args:
        collection: which data set it is for.
        subject: the pseudonym.
        name: the real name, which is on the form but in no record of the data set.
        scope: the purposes that are asked for.
        jurisdiction, signed, expires, contact: as in `dataset.collection.records.Consent`.
    """
    from jinja2 import Environment, StrictUndefined

    # Markdown, not HTML: nothing is escaped here, `as_html` escapes the whole.
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    template = environment.from_string((files("cards") / "consent_form.md").read_text("utf-8"))
    return template.render(
        collection=_plain(collection.title),
        subject=subject,
        made=date.today().isoformat(),
        jurisdiction=_plain(jurisdiction) or _BLANK,
        contact=_plain(contact or collection.contact) or _BLANK,
        name=_plain(name) or _BLANK,
        purposes=[{"name": key, "text": text, "asked": key in scope} for key, text in PURPOSES.items()],
        published="publish" in scope,
        date=signed or "the day of the signature",
        expires=expires,
    )


def filming_guide() -> str:
    """The checklist for filming, with the limits that ``dataset add-recording`` holds a recording to."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    template = environment.from_string((files("cards") / "filming.md").read_text("utf-8"))
    return template.render(
        two_people=f"{content.TWO_PEOPLE:.0%}",
        found=f"{content.FOUND:.0%}",
        often_found=f"{content.OFTEN_FOUND:.0%}",
        steady=f"{content.STEADY:g}",
        moving=f"{content.MOVING:g}",
        whole=f"{content.WHOLE:.0%}",
        often_whole=f"{content.OFTEN_WHOLE:.0%}",
        tall=f"{content.TALL:g}",
        small=f"{content.SMALL:g}",
        rate=f"{facts.SMOOTH_RATE:g}",
        least_rate=f"{facts.LEAST_RATE:g}",
        soft=f"{content.SOFT:g}",
        very_soft=f"{content.VERY_SOFT:g}",
        dark=f"{content.DARK:g}",
        bright=f"{content.BRIGHT:g}",
        clipped=f"{content.CLIPPED:.0%}",
        noisy=f"{content.NOISY:g}",
        minutes=f"{facts.LONG_ENOUGH / 60:g}",
        seconds=f"{facts.LEAST_SECONDS:g}",
        lively=f"{content.LIVELY:.0%}",
    )


def as_html(markdown: str, title: str) -> str:
    """The form as one HTML page to print and sign; only what the form uses of Markdown is understood."""
    from jinja2 import Environment, StrictUndefined, select_autoescape
    from markupsafe import Markup

    environment = Environment(undefined=StrictUndefined, autoescape=select_autoescape(default=True))
    template = environment.from_string((files("dataset.collection") / "form.html").read_text("utf-8"))
    # Escaped signs are put aside, or they would be taken for Markdown after all.
    hidden = re.sub(r"\\([*_`|<>\[\]#])", lambda found: chr(_ASIDE + ord(found[1])), markdown)
    body = "\n".join(_blocks(hidden))
    shown = re.sub(
        f"[{chr(_ASIDE)}-{chr(_ASIDE + 127)}]", lambda found: html.escape(chr(ord(found[0]) - _ASIDE)), body
    )
    return template.render(title=title, body=Markup(shown))


def _blocks(markdown: str) -> list[str]:
    out: list[str] = []
    for block in re.split(r"\n{2,}", markdown.strip()):
        lines = block.splitlines()
        if heading := re.fullmatch(r"(#{1,3}) (.+)", lines[0]):
            level = len(heading[1])
            out.append(f"<h{level}>{_inline(heading[2])}</h{level}>")
            lines = lines[1:]
        if not lines:
            continue
        if lines[0] == "---":
            out.append("<hr>")
        elif lines[0].startswith("|"):
            out.append(_table(lines))
        elif lines[0].startswith("> "):
            out.append(f"<blockquote>{_inline(' '.join(line.lstrip('> ') for line in lines))}</blockquote>")
        elif all(line.startswith("* ") for line in lines):
            out.append(f"<ul>{''.join(f'<li>{_inline(line[2:])}</li>' for line in lines)}</ul>")
        elif all(re.match(r"\d+\. ", line) for line in lines):
            items = (line.split(". ", 1)[1] for line in lines)
            out.append(f"<ol>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</ol>")
        else:
            out.append(f"<p>{'<br>'.join(_inline(line) for line in lines)}</p>")
    return out


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head = "".join(f"<th>{_inline(cell)}</th>" for cell in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{_inline(cell)}</td>' for cell in row)}</tr>" for row in rows[2:])
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _inline(text: str) -> str:
    safe = html.escape(text)
    safe = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", safe)
    safe = re.sub(r"(?<!\*)\*([^*]+)\*(?!\*)", r"<em>\1</em>", safe)
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return re.sub(r"_{6,}", '<span class="blank"></span>', safe)


def _plain(text: str) -> str:
    """On one line, without signs that Markdown would take for its own."""
    return re.sub(r"([*_`|<>\[\]#])", r"\\\1", " ".join(text.split())) if text else ""
