"""An import for those who bring none."""

import bz2
import random


def generate(path, pages=600):
    """A wiki's articles in invented words, with links and categories, always the same."""
    chance = random.Random(1)
    words = ["".join(chance.choice("bdklmnprst") + chance.choice("aeiou") for _ in range(chance.randint(1, 4))) for _ in range(3000)]
    titles = [f"{chance.choice(words).capitalize()} {chance.choice(words)} {number}" for number in range(pages)]
    parts = [
        '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">',
        "<siteinfo><sitename>Bench</sitename><dbname>bench</dbname><case>first-letter</case></siteinfo>",
    ]
    for number, title in enumerate(titles, 1):
        sentences = [" ".join(chance.choices(words, k=12)).capitalize() + f" [[{chance.choice(titles)}]]." for _ in range(40)]
        text = "\n\n".join(" ".join(sentences[start:start + 8]) for start in range(0, 40, 8)) + f"\n[[Category:{title[0]}]]"
        parts.append(
            f"<page><title>{title}</title><ns>0</ns><id>{number}</id><revision><id>{number}</id>"
            f"<timestamp>2026-01-01T00:00:00Z</timestamp><contributor><username>Bench</username><id>1</id></contributor>"
            f'<model>wikitext</model><format>text/x-wiki</format><text xml:space="preserve">{text}</text></revision></page>'
        )
    parts.append("</mediawiki>")
    path.write_bytes(bz2.compress("\n".join(parts).encode()))
