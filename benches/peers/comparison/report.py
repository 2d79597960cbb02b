"""The comparison as Markdown, and its place in docs/performance.md."""

import shlex

from comparison.figures import Figures

# Share of the processors taken by others above which a table is not to be trusted.
QUIET = 0.05
MISSING = "–"


def number(value):
    return MISSING if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def times(value):
    return MISSING if value is None else f"{value:.2f}x"


def percent(value):
    return MISSING if value is None else f"{100 * value:.0f} %"


def table(header, rows):
    """A Markdown table; numbers to the right."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *rows])


def peers_of(record):
    """Names and titles of all peers that were measured, in order."""
    titles = {}
    for cell in record["cells"]:
        titles |= {name: c["title"] for name, c in cell["contenders"].items()}
    return {name: title for name, title in titles.items() if not name.startswith("critbatch")}


def goal_text(figures):
    """Whether the goals of issue 4 are met, and which is not."""
    goals = figures.goals()
    if not goals:
        return MISSING
    problems = []
    for what, reached, needed in goals:
        if reached is None:
            problems.append(f"{what} not measured")
        elif reached < needed:
            problems.append(f"{what} {reached:.2f} of {needed:g}")
    return "not met: " + "; ".join(problems) if problems else "met"


def rates_table(record, cells):
    """Examples per second of everybody, the lanes that critbatch chose, and the goals."""
    peers = peers_of(record)
    header = ["model", "B", *peers.values(), "critbatch, one lane", "critbatch, all lanes", "lanes"]
    header += [f"/ {peers[name]}" for name in ("pytorch", "jax") if name in peers]
    rows = []
    for figures in cells:
        rates = [number(figures.rate(name)) for name in peers]
        own = [number(figures.rate(name)) for name in ("critbatch_one_lane", "critbatch")]
        ratios = [times(figures.ratio("critbatch", n)) for n in ("pytorch", "jax") if n in peers]
        lanes = str(figures.lanes("critbatch")) if figures.rate("critbatch") else MISSING
        rows.append([figures.model, str(figures.batch_size), *rates, *own, lanes, *ratios])
    return table(header, rows)


def ceilings_table(cells):
    """How near critbatch is to what the machine can do."""
    header = ["model", "B", "GFLOP/s", "product GFLOP/s", "share of product", "stream GB/s"]
    header += ["ceiling, examples/s", "share of ceiling", "one lane / PyTorch", "goals of issue 4"]
    rows = []
    for figures in cells:
        name = "critbatch"
        numbers = [figures.gflop_per_second(name), figures.product_ceiling()]
        row = [figures.model, str(figures.batch_size), *map(number, numbers)]
        row += [percent(figures.share_of_product(name)), number(figures.stream_ceiling(name))]
        row += [number(figures.arithmetic_ceiling(name)), percent(figures.share_of_ceiling(name))]
        row += [times(figures.ratio("critbatch_one_lane", "pytorch")), goal_text(figures)]
        rows.append(row)
    return table(header, rows)


def variants_table(record):
    """The variant that each peer took part with: the fastest of those tried."""
    peers = peers_of(record)
    rows = []
    for cell in record["cells"]:
        for name, title in peers.items():
            contender = cell["contenders"].get(name)
            if contender:
                n_tried = f"{max(1, len(contender['tried']))}"
                chosen = f"`{contender['variant']}`"
                rows.append([cell["model"], str(cell["batch_size"]), title, n_tried, chosen])
    return table(["model", "B", "peer", "variants tried", "fastest"], rows)


def failures(record):
    """What did not run, so that a gap in a table has its reason."""
    lines = []
    for cell in record["cells"]:
        where = f"{cell['model']} at {cell['batch_size']}"
        for contender in cell["contenders"].values():
            if "error" in contender:
                lines.append(f"- {contender['title']}, {where}: {contender['error']}")
            failed = [tried for tried in contender["tried"] if "error" in tried]
            if failed and "error" not in contender:
                variants = ", ".join(f"`{tried['variant']}` ({tried['error']})" for tried in failed)
                lines.append(f"- {contender['title']}, {where}, variants that failed: {variants}")
        errors = dict(cell["ceilings"].get("errors", {}))
        if "error" in cell["ceilings"]:
            errors["all"] = cell["ceilings"]["error"]
        lines += [f"- ceilings by {name}, {where}: {error}" for name, error in errors.items()]
    return lines


def behind(record, cells):
    """Where a peer is faster: than all lanes, or, on the same one network, than one lane."""
    lines, peers, n_compared = [], peers_of(record), 0
    for figures in cells:
        rivals = [("all lanes", "critbatch", name) for name in peers]
        rivals += [("one lane", "critbatch_one_lane", n) for n in peers if not n.endswith("_lanes")]
        for what, own, name in rivals:
            ratio = figures.ratio(own, name)
            n_compared += ratio is not None
            if ratio is not None and ratio < 1:
                where = f"{figures.model} at {figures.batch_size}"
                lines.append(f"- {what}, {where}: {times(ratio)} {peers[name]}")
    return lines or [f"Nowhere, in {n_compared} ratios that could be taken."]


def warnings(cells):
    """Reasons not to believe the figures."""
    lines = []
    shares = [figures.elsewhere() for figures in cells]
    busiest = max((share for share in shares if share is not None), default=None)
    if busiest is None:
        lines.append("Whether the machine was quiet is not known: the system does not tell.")
    elif busiest > QUIET:
        lines.append(
            f"**The machine was not quiet**: others took up to {percent(busiest)} of the "
            "processors during a run. Frameworks that wait in a spin lose most by that; do not "
            "quote these ratios."
        )
    else:
        lines.append(f"Others took at most {percent(busiest)} of the processors during a run.")
    for figures in cells:
        counted = figures.flops_differ()
        if counted:
            lines.append(
                f"critbatch counts {counted:,.0f} FLOP an example of {figures.model} at "
                f"{figures.batch_size}, models.py another number: one of them is wrong."
            )
    return lines


def heading(record):
    """Machine, versions, date, commit and command."""
    machine = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    card = f"{machine['gpu']}; " if machine.get("gpu") else ""
    n_rounds, seconds = record["rounds"], record["seconds"]
    critbatch = machine["critbatch"] or "critbatch missing"
    return [
        f"Commit {machine['commit']} ({critbatch}), {machine['date']}. "
        f"{card}{machine['cpu']}, {machine['processors']} processors, "
        f"{machine['threads']} threads, {machine['system']}. {versions}.",
        "",
        f"Medians of {n_rounds} alternating rounds of {seconds:g} s, by",
        "",
        "```sh",
        shlex.join(record["command"]),
        "```",
    ]


def markdown(record):
    """The whole comparison."""
    cells = [Figures(cell, record["gpu"]) for cell in record["cells"]]
    parts = [*heading(record), "", *warnings(cells), "", "Examples per second:", ""]
    parts += [rates_table(record, cells), "", "Near the limit (all lanes):", ""]
    parts += [ceilings_table(cells), "", "The peers' variants:", "", variants_table(record)]
    parts += ["", "Where critbatch is behind:", "", *behind(record, cells)]
    failed = failures(record)
    if failed:
        parts += ["", "What did not run:", "", *failed]
    return "\n".join(parts) + "\n"


def markers(gpu):
    """The comments in docs/performance.md between which the tables stand."""
    name = "gpu" if gpu else "cpu"
    return f"<!-- comparison {name}: begin -->", f"<!-- comparison {name}: end -->"


def with_tables(document, text, gpu):
    """The document with what stood between the markers replaced."""
    begin, end = markers(gpu)
    if document.count(begin) != 1 or document.count(end) != 1:
        raise ValueError(f"the document needs one line '{begin}' and one '{end}'")
    before, rest = document.split(begin)
    inside, after = rest.split(end)
    if inside.count("\n") < 1:
        raise ValueError(f"'{begin}' and '{end}' must stand on lines of their own")
    return f"{before}{begin}\n\n{text}\n{end}{after}"
