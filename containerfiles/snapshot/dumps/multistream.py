"""bzip2 in streams of some pages each, so that a page can be had without unpacking all, and the index that says where."""

import bz2
import html

PAGES = 100


def write(source, out, index):
    with bz2.open(source, "rb") as xml, open(out, "wb") as target, bz2.open(index, "wb") as places:
        header, first = [], b""
        for line in xml:
            if line.strip() == b"<page>":
                first = line
                break
            header.append(line)
        if not first:
            # Without pages, what there is ends with the footer.
            target.write(bz2.compress(b"".join(header[:-1])))
            target.write(bz2.compress(b"".join(header[-1:])))
            return
        target.write(bz2.compress(b"".join(header)))
        stream, pages, footer = [], 0, []
        for page, text in split(xml, first, footer):
            places.write(b"%d:%s:%s\n" % (target.tell(), page[0], page[1]))
            stream.append(text)
            pages += 1
            if pages == PAGES:
                target.write(bz2.compress(b"".join(stream)))
                stream, pages = [], 0
        if stream:
            target.write(bz2.compress(b"".join(stream)))
        target.write(bz2.compress(b"".join(footer)))


def split(lines, first, footer):
    """Yields each page as ((id, title), text); what comes after the last goes into `footer`."""
    page, about = [first], {}
    for line in lines:
        if not page and line.strip() != b"<page>":
            footer.append(line)
            continue
        page.append(line)
        for name in (b"title", b"id"):
            tag = b"    <" + name + b">"
            if name not in about and line.startswith(tag):
                value = line.strip()[len(name) + 2 : -len(name) - 3]
                about[name] = html.unescape(value.decode()).encode()
        if line.strip() == b"</page>":
            yield (about[b"id"], about[b"title"]), b"".join(page)
            page, about = [], {}
