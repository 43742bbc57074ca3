"""What is known about wikis out there: their names for each other, namespaces and main pages."""

import re
import urllib.parse

# Extensions' namespaces that the tables of a database give by number only.
EXTENSION_NAMESPACES = {
    710: "TimedText", 711: "TimedText talk", 828: "Module", 829: "Module talk",
    2300: "Gadget", 2301: "Gadget talk", 2302: "Gadget definition", 2303: "Gadget definition talk", 2600: "Topic",
}
# Wikimedia's prefixes for the other projects in the same language.
SISTERS = {
    "w": "wikipedia", "wikt": "wiktionary", "b": "wikibooks", "n": "wikinews", "q": "wikiquote", "s": "wikisource",
    "v": "wikiversity", "voy": "wikivoyage",
}


def interwiki(tree, origin):
    """SQL for MediaWiki's own list of prefixes and, where the content is of a Wikimedia database, the prefixes used there."""
    rows = {}
    for line in text_of(tree, "maintenance/interwiki.list").splitlines():
        if line and not line.startswith("#"):
            prefix, url, local, api = (line.split("|") + [""] * 3)[:4]
            rows[prefix] = (url, int(local or 0), api)
    codes = re.findall(r"^\s*'([a-z-]+)' =>", text_of(tree, "includes/[lL]anguages/[dD]ata/Names.php"), re.MULTILINE)
    lang, project = wikimedia_project(origin)
    if lang in codes:
        rows.update((code, (f"https://{code}.{project}.org/wiki/$1", 1, "")) for code in codes)
        rows.update((prefix, (f"https://{lang}.{other}.org/wiki/$1", 1, "")) for prefix, other in SISTERS.items())
        rows["c"] = rows["commons"]
    if not rows:
        return b""
    values = (f"({quoted(prefix)}, {quoted(url)}, {local}, {quoted(api)}, '')" for prefix, (url, local, api) in sorted(rows.items()))
    return f"INSERT INTO interwiki (iw_prefix, iw_url, iw_local, iw_api, iw_wikiid) VALUES {', '.join(values)}".encode()


def text_of(tree, pattern):
    """A file that some version of MediaWiki may have elsewhere, and that one can do without."""
    return next((file.read_text(encoding="utf-8") for file in tree.glob(pattern)), "")


def wikimedia_project(database):
    """("el", "wikivoyage") for elwikivoyage."""
    found = re.fullmatch(f"([a-z_]+?)({'|'.join(SISTERS.values())}|wiki)", database)
    if not found:
        return None, None
    return found[1].replace("_", "-"), "wikipedia" if found[2] == "wiki" else found[2]


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def main_page(base):
    """The title in an export's <base>, the address of its wiki's main page."""
    found = re.search(r"[?&]title=([^&]+)|/index\.php/(.+)|/wiki/(.+)", base)
    title = next((part for part in found.groups() if part), "") if found else ""
    return urllib.parse.unquote(title).replace("_", " ")
