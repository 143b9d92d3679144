"""The instructions of a project: examples of each species, what is expected, the keys, as HTML.

Label Studio shows them in a window when somebody begins to label, and on a button. They stand in a marked
block; what a manager writes before or behind it stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape, unescape

from pipeline.identity import digest
from pipeline.label_studio.screen import keys
from pipeline.label_studio.screen.html import key_cap
from pipeline.label_studio.screen.options import ScreenOptions

# Label Studio keeps few attributes and no comments, and writes all else in its own way (1.23.2).
_BEGIN = '<hr class="wildloop-begins {digest}" title="Wildloop renews what follows. Write above this line.">'
_END = '<hr class="wildloop-ends" title="Write below this line.">'
_BLOCK = re.compile(
    r"<hr [^>]*wildloop-begins (?P<digest>\w+)[^>]*>.*?(?:<hr [^>]*wildloop-ends[^>]*>|$)", re.DOTALL
)
_EXAMPLE = re.compile(r'<img [^>]*name="([^"]*)"')

_STYLE = """
.wildloop-begins, .wildloop-ends { display: none; }
.lsf-modal-ls__content:has(.wl) { width: min(1080px, 94vw) !important; max-width: none !important; }
.wl { --dim: var(--color-neutral-content-subtler); --line: var(--color-neutral-border);
  --soft: var(--color-neutral-surface); border-top: 1px solid var(--line); margin-top: 12px; font-size: 14px;
  line-height: 21px; }
.wl h3 { font-size: 15px; font-weight: 600; margin: 22px 0 8px; }
.wl p { margin: 0 0 8px; }
.wl .two { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 0 32px;
  align-items: start; }
.wl .species { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); gap: 14px; }
.wl figure { margin: 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.wl .crops { display: grid; grid-template-columns: repeat(3, 1fr); gap: 1px; background: #17191d; }
.wl .crops img { width: 100%; aspect-ratio: 1; object-fit: contain; display: block; }
.wl figcaption { padding: 6px 10px; } .wl figcaption b { font-weight: 600; }
.wl figcaption i { color: var(--dim); margin-left: 6px; }
.wl table { border-collapse: collapse; width: 100%; }
.wl td { padding: 3px 0; vertical-align: top; } .wl td:first-child { width: 150px; }
.wl kbd { display: inline-block; min-width: 20px; padding: 0 5px; margin-right: 4px; border-radius: 4px;
  border: 1px solid var(--line); background: var(--soft); color: inherit; font: inherit; font-size: 12px;
  line-height: 18px; text-align: center; box-shadow: none; }
"""


@dataclass(frozen=True, kw_only=True)
class SpeciesExamples:
    """Crops that show what a species looks like."""

    word: str  # as annotators choose it
    scientific_name: str | None
    crops: Sequence[tuple[str, str]]  # detection id and address of each picture


def guidance(species: Iterable[SpeciesExamples], options: ScreenOptions) -> str:
    """The block with Wildloop's own instructions."""
    shown = [_species(each) for each in species if each.crops]
    content = "\n".join(
        [
            f"<style>{_STYLE}</style>",
            '<div class="wl">',
            f'<div class="two"><div>{_EXPECTED}</div><div>{_AUDIT}</div></div>',
            f'<h3>Keys</h3><div class="two">{"".join(map(_table, _keys(options)))}</div>',
            "<h3>Species</h3>",
            f'<div class="species">{"".join(shown)}</div>' if shown else f"<p>{_NO_EXAMPLES}</p>",
            "</div>",
        ]
    )
    return "\n".join([_BEGIN.format(digest=digest(content)), content, _END])


def has_guidance(instructions: str) -> bool:
    """Whether a project's instructions have Wildloop's block."""
    return _BLOCK.search(instructions) is not None


def with_guidance(instructions: str, block: str) -> str | None:
    """The instructions with this block for the former one, or behind all else; None if they have it."""
    present, new = _BLOCK.search(instructions), _BLOCK.search(block)
    assert new is not None, "a block begins with its mark"
    if present is None:
        return f"{instructions.rstrip()}\n\n{block}".lstrip()
    if present["digest"] == new["digest"]:
        return None
    return instructions[: present.start()] + block + instructions[present.end() :]


def example_crops(instructions: str) -> list[str]:
    """The detections that a project's instructions show now, in their order."""
    block = _BLOCK.search(instructions)
    return [] if block is None else [unescape(name) for name in _EXAMPLE.findall(block[0])]


_EXPECTED = """<h3>What is asked</h3>
<p>Say what you see in the crop, not what you expect at that place. Nothing there is <b>empty</b>; if you
cannot tell, <b>unsure</b> is a good answer and a guess is not. Look at the whole photograph and its
neighbours when in doubt.</p>
<p>The likeliest species come first, each with its probability. A coloured one is the machine's
suggestion: submit keeps it, another key replaces it. The machine learns from both, so correct it wherever
it is wrong.</p>
<p>Several crops at once have <b>one</b> answer: strike out what is something else. Struck crops come back
alone, or get their species at once.</p>"""

_AUDIT = """<h3>Random checks</h3>
<p>About every tenth crop is a <b>random check</b>. It is drawn by lot and comes alone and <b>without a
suggestion on purpose</b>: how good the machine is follows from these crops alone, and somebody who has
seen its answer tends to agree with it.</p>
<p>Answer them as carefully as all others, by your own eye, and do not skip them. The machine never learns
from them.</p>"""

_NO_EXAMPLES = "Examples of each species appear here by themselves, once people and machine agree on some."


def _species(species: SpeciesExamples) -> str:
    pictures = "".join(
        f'<img name="{escape(crop)}" src="{escape(address)}" alt="">' for crop, address in species.crops
    )
    latin = f"<i>{escape(species.scientific_name)}</i>" if species.scientific_name else ""
    caption = f"<figcaption><b>{escape(species.word)}</b>{latin}</figcaption>"
    return f'<figure><div class="crops">{pictures}</div>{caption}</figure>'


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td>{caps}</td><td>{escape(what)}</td></tr>" for caps, what in rows)
    return f"<table>{cells}</table>"


def _caps(*wanted: str) -> str:
    return "".join(key_cap(key) for key in wanted)


def _keys(options: ScreenOptions) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The keys of the answer, and all others, each with what it does."""
    answer = [
        ("<kbd>Space</kbd>", "submit; Ctrl+Enter always does, too"),
        (f"{_caps(keys.LIKELIEST[0])}–{_caps(keys.LIKELIEST[-1])}", "one of the likeliest species"),
        (_caps(keys.ANOTHER), "another species: type, Enter takes the first"),
        (_caps(keys.EMPTY, keys.UNSURE), "empty, unsure"),
        (_caps(keys.PERSON, keys.VEHICLE), "person, vehicle, where the project offers them"),
        (_caps(keys.EXPERT), "show it to an expert"),
        ("<kbd>Ctrl</kbd><kbd>Z</kbd>", "take back the last key"),
        ("<kbd>Ctrl</kbd><kbd>Space</kbd>", "skip: somebody else gets it"),
    ]
    others = [
        (_caps(keys.BRIGHTER, keys.CONTRAST), "brighter, more contrast"),
        (_caps(keys.ORIGINAL), "the original photograph"),
        (_caps(keys.NEIGHBOURS[-1], keys.NEIGHBOURS[1]), "the photographs before and after"),
        (f"{_caps(keys.CROPS[0], keys.CROPS[1], keys.CROPS[2])}…", "strike out a crop of several"),
    ]
    if options.count:
        others.append((f"{_caps(keys.COUNT[0], keys.COUNT[1], keys.COUNT[2])}…", "one, two, three animals"))
    if options.sex:
        others.append((_caps(*keys.SEX.values()), ", ".join(keys.SEX)))
    if options.age:
        others.append((_caps(*keys.AGE.values()), ", ".join(keys.AGE)))
    if options.behaviour:
        used = keys.BEHAVIOUR[: len(options.behaviour)]
        others.append((_caps(*used), ", ".join(options.behaviour[: len(used)])))
    if options.several:
        others.append((_caps(keys.ALSO), "a further species in the same crop"))
    if options.boxes:
        others.append((_caps(keys.BOX), "draw a box around an animal"))
    return answer, others
