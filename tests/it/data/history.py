"""Reads a dump from standard input and prints page, revision and base-36 SHA-1 of each revision's text, as computed here; ends
with an error where the dump itself says another sum."""

import hashlib
import sys
import xml.etree.ElementTree as tree

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number):
    return base36(number // 36) + DIGITS[number % 36] if number else ""


page = None
for event, element in tree.iterparse(sys.stdin.buffer, ["end"]):
    name = element.tag.rpartition("}")[2]
    if name == "id" and page is None:
        page = element.text
    elif name == "revision":
        field = {child.tag.rpartition("}")[2]: child.text for child in element}
        text = field.get("text") or ""
        digest = base36(int(hashlib.sha1(text.encode()).hexdigest(), 16)).rjust(31, "0")
        if digest != field["sha1"]:
            sys.exit(f"revision {field['id']}: the text's sum is {digest}, and the dump says {field['sha1']}")
        print(page, field["id"], digest)
    elif name == "page":
        page = None
        element.clear()
