"""Judges values as the C library does, for `cargo xtask suite libinjection`.

In: `s` or `x`, the number of values (u32), and each value after its length (u32), all little-endian.
Out, for each value: for SQL the verdict and the fingerprint in 8 bytes, for XSS the number of the context,
counted from 1, or 0.
"""

import struct
import sys

import libinjection


class Value:
    """Bytes that pass for a string: the binding asks its argument to encode itself."""

    def __init__(self, content):
        self.content = content

    def encode(self, _):
        return self.content


def sql(value):
    found = libinjection.is_sql_injection(value)
    return struct.pack("B8s", found["is_sqli"], found["fingerprint"].encode())


def xss(value):
    return struct.pack("B", libinjection.is_xss(value)["flag"] + 1)


def main():
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while header := source.read(5):
        kind, count = struct.unpack("<cI", header)
        judge = sql if kind == b"s" else xss
        values = []
        for _ in range(count):
            (length,) = struct.unpack("<I", source.read(4))
            values.append(Value(source.read(length)))
        sink.write(b"".join(judge(value) for value in values))
        sink.flush()


main()
