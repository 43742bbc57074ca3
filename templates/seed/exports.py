"""Import files: what they are, whether they are whole, and what they say about their wiki."""

import bz2
import gzip
import os
import re
import subprocess
from contextlib import contextmanager
from xml.parsers import expat

MAGIC = {".bz2": b"BZh", ".gz": b"\x1f\x8b", ".7z": b"7z\xbc\xaf\x27\x1c"}
CHUNK = 1 << 18


class BadImport(Exception):
    """An import file that cannot be imported, with the reason for a person."""


class ImportFile:
    """A file as podfarm mounts it: /import/<n>-<the user's name for it>."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path).split("-", 1)[-1]
        stem, ending = os.path.splitext(self.name)
        self.packing = ending if ending in MAGIC else ""
        self.kind = os.path.splitext(stem if self.packing else self.name)[1]
        if self.kind not in (".xml", ".sql"):
            self.fail("podfarm imports .xml and .sql, plain or as .bz2, .gz or .7z, and this name ends in neither")

    def fail(self, reason):
        raise BadImport(f"{self.name}: {reason}")

    @contextmanager
    def open(self):
        """The unpacked contents. Whoever reads to the end can rely on having read a whole file."""
        if self.packing == ".7z":
            yield from self._open_7z()
            return
        opener = {"": open, ".bz2": bz2.open, ".gz": gzip.open}[self.packing]
        try:
            with opener(self.path, "rb") as stream:
                yield stream
        except EOFError:
            self.fail("it is cut off: the compressed data ends in the middle")
        except (OSError, gzip.zlib.error) as error:
            self.fail(f"it is damaged: {error}")

    def _open_7z(self):
        command = ["7z", "x", "-so", "--", self.path]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as unpack:
            yield unpack.stdout
            unread = unpack.stdout.read(1)
            unpack.stdout.close()
            said = unpack.stderr.read().decode(errors="replace")
        if unpack.returncode != 0 and not unread:
            reason = next((line for line in said.splitlines() if "rror" in line), "7z cannot unpack it")
            self.fail(f"it is cut off or damaged: {reason.strip()}")

    def chunks(self):
        with self.open() as stream:
            while chunk := stream.read(CHUNK):
                yield chunk

    def check(self):
        """Read all of it; complain before anything is imported. Returns an Export or a Tables."""
        with open(self.path, "rb") as file:
            start = file.read(8)
        if not start:
            self.fail("it is empty")
        if self.packing and not start.startswith(MAGIC[self.packing]):
            self.fail(f"it is not what its name says: its contents are not {self.packing[1:]} data")
        return Export(self) if self.kind == ".xml" else Tables(self)


class Export:
    """A MediaWiki XML export."""

    def __init__(self, file):
        self.file = file
        self.pages = 0
        self.site = {}  # sitename, dbname, base, lang
        self.namespaces = {}
        self.models = {}
        self._path = []
        self._text = None
        self._model = None
        self._texts = self._stubs = 0
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        self._parser = parser
        try:
            for chunk in file.chunks():
                parser.Parse(chunk, False)
        except expat.ExpatError as error:
            where = "it is not XML" if not self._path else "its XML is broken"
            file.fail(f"{where}: {expat.ErrorString(error.code)}, line {error.lineno}")
        try:
            parser.Parse(b"", True)
        except expat.ExpatError:
            file.fail("it is empty" if not self._path else f"it is cut off: its XML ends in the middle, after {self.pages} pages")
        if not self.pages:
            file.fail("it has no pages")
        if self._texts and self._texts == self._stubs:
            file.fail("it is a stub export: its pages have no text")

    def _start(self, name, attributes):
        if not self._path:
            if name != "mediawiki":
                self.file.fail(f"it is XML, but not an export of MediaWiki: it begins with <{name}>")
            self.site["lang"] = attributes.get("xml:lang")
        self._path.append(name)
        if name == "page":
            self.pages += 1
        elif name in ("sitename", "dbname", "base", "namespace", "model", "format"):
            self._attributes = attributes
            self._text = ""
            self._parser.CharacterDataHandler = self._data
        elif name == "text" and int(attributes.get("bytes") or 0) > 0 and "deleted" not in attributes:
            self._texts += 1
            self._stubs += "id" in attributes or "location" in attributes

    def _data(self, data):
        self._text += data

    def _end(self, name):
        if len(self._path) > 1:
            self._path.pop()
        if self._text is None:
            return
        text, self._text = self._text, None
        self._parser.CharacterDataHandler = None
        if name == "namespace":
            attributes = self._attributes
            self.namespaces[attributes["key"]] = {"name": text, "case": attributes.get("case", "first-letter")}
        elif name == "model":
            self._model = text
            self.models.setdefault(text, [])
        elif name == "format":
            if self._model and text not in self.models[self._model]:
                self.models[self._model].append(text)
        else:
            self.site[name] = text


class Tables:
    """A dump of database tables: of some of them, as Wikimedia publishes them, or of a whole wiki."""

    # Lines that would lead out of the wiki's own database.
    STRAY = re.compile(rb"(?i)\s*(USE\s|(CREATE|DROP)\s+DATABASE)|/\*!\d+\s+(CREATE|DROP)\s+DATABASE")

    def __init__(self, file):
        self.file = file
        self.names = []
        first = last = b""
        for line in self.lines():
            first = first or line.strip()
            last = line.strip() or last
            if line.startswith(b"CREATE TABLE"):
                name = re.match(rb"CREATE TABLE (?:IF NOT EXISTS )?`?([^`\s(]+)", line)
                self.names.append(name[1].decode())
        if not self.names:
            file.fail("it creates no table: it is not a dump made by mysqldump or mariadb-dump")
        if re.match(rb"-- (MySQL|MariaDB) dump", first) and not last.startswith(b"-- Dump completed"):
            file.fail(f"it is cut off: it ends in table {self.names[-1]}")

    @property
    def whole_wiki(self):
        return {"page", "revision", "user"} <= set(self.names)

    def lines(self):
        with self.file.open() as stream:
            yield from stream

    def statements(self):
        return (line for line in self.lines() if not self.STRAY.match(line))
