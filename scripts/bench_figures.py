"""Figures, as ratios of what was measured, with the bounds they are held against."""

import statistics


class Figures:
    def __init__(self):
        self.figures = []
        self.samples = {}

    def figure(self, name, value, ratio=None, bound=None, met=None, best=None):
        verdict = "for information" if met is None else "met" if met else "MISSED"
        self.add(name, value, ratio, best, bound, verdict)

    def skipped(self, name, bound, why):
        self.add(name, "-", None, None, bound, f"skipped: {why}")

    def add(self, name, value, ratio, best, bound, verdict):
        rounded = lambda number: None if number is None else round(number, 2)
        self.figures.append({"figure": name, "value": value, "ratio": rounded(ratio), "best": rounded(best), "bound": bound, "verdict": verdict})

    def sampled(self, key, seconds):
        self.samples.setdefault(key, []).append(round(seconds, 3))

    def ratios(self, above, below):
        """Of the medians, and of the fastest runs, in which a busy machine has the least part."""
        above, below = self.samples[above], self.samples[below]
        return statistics.median(above) / statistics.median(below), min(above) / min(below)

    def faster(self, name, others, ours, bound):
        """By how much we are faster than others: at least `bound`."""
        ratio, best = self.ratios(others, ours)
        self.figure(name, self.seconds(others, ours), ratio, f">= {bound}", ratio >= bound, best)

    def not_slower(self, name, others, ours, bound):
        """Our time in theirs: at most `bound`."""
        ratio, best = self.ratios(ours, others)
        self.figure(name, self.seconds(ours, others), ratio, bound and f"<= {bound}", ratio <= bound if bound else None, best)

    def seconds(self, *keys):
        return " : ".join(f"{statistics.median(self.samples[key]):.2f} s" for key in keys)


def table(figures):
    header = ["figure", "value", "ratio", "best", "bound", "verdict"]
    rows = [header] + [["" if figure[key] is None else str(figure[key]) for key in header] for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
