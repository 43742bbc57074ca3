"""Pages that nobody wrote: as many as are wanted, the same ones every time, in the script of the wiki's language."""

import hashlib
import random
from datetime import datetime, timedelta, timezone
from xml.sax.saxutils import escape

SYLLABLES = {
    "el": "λα μι το σε ρα νο κα πε δι θα χω φυ βη γλο στρα αί ού ές".split(),
    "he": "של רו מי בא לה תי נו כר שם דו גל פי אור חן זה".split(),
    "ar": "با لا مي نو سا را دي كا هو في جم شر قل تا عا".split(),
    "en": "la mi to se ra no ka pe di tha wo fu bi glo stra ing er an".split(),
}
USERS = ["Ada", "Boris", "Chloë", "Δάφνη", "Eve"]
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
FIRST_ID = 1000  # after those of the built-in content
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


def write(path, wiki, lang, pages):
    """Writes an export with that many pages."""
    maker = Maker(wiki, lang)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="{lang}">\n')
        for index in range(pages):
            file.write(maker.page(index, pages))
        file.write("</mediawiki>\n")


class Maker:
    def __init__(self, wiki, lang):
        self.wiki = wiki
        self.syllables = SYLLABLES.get(lang, SYLLABLES["en"])
        self.revision = FIRST_ID

    def chance(self, index):
        return random.Random(f"{self.wiki} {index}")

    def word(self, chance):
        return "".join(chance.choices(self.syllables, k=chance.randint(1, 4)))

    def title(self, index):
        """No two are equal, for the number is in it."""
        chance = self.chance(f"title {index}")
        return f"{self.word(chance).capitalize()} {self.word(chance)} {index + 1}"

    def sentences(self, chance, pages):
        words = [self.word(chance) for _ in range(chance.randint(5, 15))]
        words[chance.randrange(len(words))] = f"[[{self.title(chance.randrange(pages))}]]"
        return " ".join(words).capitalize() + "."

    def page(self, index, pages):
        chance = self.chance(index)
        text = f"'''{self.title(index)}'''"
        parts = [f"  <page>\n    <title>{escape(self.title(index))}</title>\n    <ns>0</ns>\n    <id>{FIRST_ID + index}</id>\n"]
        moment = START + timedelta(minutes=index)
        for number in range(1 + index % 4):
            moment += timedelta(days=1, seconds=chance.randrange(3600))
            heading = f"\n\n== {self.word(chance)} ==\n" if number else " "
            text += heading + " ".join(self.sentences(chance, pages) for _ in range(chance.randint(2, 8)))
            parts.append(self.one(chance, moment, text))
        parts.append("  </page>\n")
        return "".join(parts)

    def one(self, chance, moment, text):
        self.revision += 1
        user = chance.randrange(len(USERS))
        return (
            f"    <revision>\n      <id>{self.revision}</id>\n      <timestamp>{moment:%Y-%m-%dT%H:%M:%SZ}</timestamp>\n"
            f"      <contributor><username>{USERS[user]}</username><id>{user + 1}</id></contributor>\n"
            f"      <comment>{self.word(chance)}</comment>\n      <model>wikitext</model>\n      <format>text/x-wiki</format>\n"
            f'      <text bytes="{len(text.encode())}" xml:space="preserve">{escape(text)}</text>\n'
            f"      <sha1>{sha1(text)}</sha1>\n    </revision>\n"
        )


def sha1(text):
    number, digits = int(hashlib.sha1(text.encode()).hexdigest(), 16), ""
    while number:
        number, digit = divmod(number, 36)
        digits = BASE36[digit] + digits
    return digits.rjust(31, "0")
