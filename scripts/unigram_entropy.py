#!/usr/bin/env python3
"""Cross entropy of a corpus's validation tokens under the frequencies of its training tokens, in nats.

    scripts/unigram_entropy.py ~/.cache/critbatch/text-*.tokens

What a language model has to beat that knows words but no order. Reads the file of tokens that critbatch
keeps (its format stands in crates/data/src/text/file.rs); needs numpy.
"""

import json
import sys

import numpy

PADDING = 65535
MAGIC = b"CBTOKENS"


def counts(path):
    """How often each token is to be predicted, by split."""
    data = open(path, "rb").read()
    assert data.startswith(MAGIC), f"{path}: no file of tokens"
    footer_len = int.from_bytes(data[-8:], "little")
    footer = json.loads(data[-8 - footer_len:-8])
    found, start = {}, len(MAGIC)
    for part in footer["parts"]:
        width = part["length"] + 1
        rows = numpy.frombuffer(data, "<u2", part["n_rows"] * width, start).reshape(-1, width)
        start += rows.nbytes
        labels = rows[:, 1:]
        here = numpy.bincount(labels[labels != PADDING], minlength=footer["vocabulary"])
        found[part["of"]] = found.get(part["of"], 0) + here
    return found


for path in sys.argv[1:]:
    of = counts(path)
    # Tokens that training never saw count half.
    train = numpy.maximum(of["train"], 0.5)
    validation = of["validation"]
    entropy = -(validation * numpy.log(train / train.sum())).sum() / validation.sum()
    print(f"{path}: {entropy:.3f} nats over {validation.sum():,} tokens")
