"""What the stand-ins for the tools of the package mwbzutils share: files that may be compressed, and how they end.

They do what is asked of those tools in making dumps, byte for byte, and end as those do: with 0, or else with 255."""

import argparse
import bz2
import gzip
import os
import re
import sys
import zlib

FAILED = 255


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(FAILED, f"{self.prog}: {message}\n")


def run(main):
    """Ends the program with what `main` returns, and in one line where a file cannot be read or written."""
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = FAILED
    except (OSError, EOFError, zlib.error) as error:
        print(f"{os.path.basename(sys.argv[0])}: {error}", file=sys.stderr)
        status = FAILED
    sys.exit(status)


def kind(path):
    """bz2, gz or None, by the name; a file that is being written may have one more ending, such as .inprog."""
    found = re.search(r"[^/]\.(bz2|gz)(\.[^./]*)?$", path)
    return found and found[1]


def reader(path):
    """What is in a file, uncompressed; standard input, if there is none."""
    if path is None:
        return sys.stdin.buffer
    return {"bz2": bz2.open, "gz": gzip.open}.get(kind(path), open)(path, "rb")


# The end of a stream of bzip2. Then come 32 bits of checksum, and up to 7 that fill the last byte.
FOOTER = bytes.fromhex("177245385090")


def has_footer(file):
    """Whether a file ends as a whole stream of bzip2 does."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 11))
    end = int.from_bytes(file.read(), "big")
    return any((end >> (32 + fill)) % (1 << 48) == int.from_bytes(FOOTER, "big") for fill in range(8))


class Writer:
    """A file in one or several compressed streams, one after the other; plain standard output, if there is no path."""

    def __init__(self, path):
        self.kind = path and kind(path)
        self.file = open(path, "wb") if path else sys.stdout.buffer
        self.written = 0
        self.offset = 0  # where the stream begins that is being written
        self.stream = None

    def write(self, data):
        if self.stream is None:
            self.stream = self.begin()
        self.put(self.stream.compress(data))

    def end_stream(self):
        """What comes next is in a stream of its own. Where nothing was written, that is an empty one."""
        if self.stream is None:
            self.stream = self.begin()
        self.put(self.stream.flush())
        self.stream = None
        self.offset = self.written

    def close(self):
        if self.stream is not None or not self.written:
            self.end_stream()
        self.file.flush()
        if self.file is not sys.stdout.buffer:
            self.file.close()

    def begin(self):
        if self.kind == "bz2":
            return bz2.BZ2Compressor(9)
        if self.kind == "gz":
            return zlib.compressobj(wbits=31)
        return Plain()

    def put(self, data):
        self.file.write(data)
        self.written += len(data)


class Plain:
    """No compression."""

    def compress(self, data):
        return data

    def flush(self):
        return b""
