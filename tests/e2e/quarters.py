"""Energy per quarter hour, computed from the rows of history alone and in exact arithmetic."""

from fractions import Fraction
from itertools import groupby

FIELDS = ("win", "wout")


def counted(rows):
    """What counts: unsuspected readings with win, by meter, in order."""
    kept = [r for r in rows if r["suspect"] is None and r["win"] is not None]
    kept.sort(key=lambda r: (r["meter"], r["time"], r["win"], -1 if r["wout"] is None else r["wout"]))
    return {meter: list(of) for meter, of in groupby(kept, key=lambda r: r["meter"])}


def edges(rows):
    """(meter, start): (time, win, wout) of the earliest reading in it and of the latest."""
    found = {}
    for meter, readings in counted(rows).items():
        for start, inside in groupby(readings, key=lambda r: r["time"] // 900 * 900):
            inside = list(inside)
            found[meter, start] = [(r["time"], r["win"], r["wout"]) for r in (inside[0], inside[-1])]
    return found


def at_boundary(time, before, after, field):
    """The counter in whole Wh."""
    share = Fraction(time - int(before["time"]), int(after["time"]) - int(before["time"]))
    return int(before[field] + (after[field] - before[field]) * share + Fraction(1, 2))


def quarter(start, readings):
    """One quarter of a meter: win, wout, quality."""
    before = [r for r in readings if r["time"] < start]
    inside = [r for r in readings if start <= r["time"] < start + 900]
    after = [r for r in readings if r["time"] >= start + 900]
    first, last = (inside or after)[0], (inside or before)[-1]
    path = [*before[-1:], *([first, last] if inside else []), *after[:1]]  # on which no counter may fall
    pairs = list(zip(path, path[1:]))
    energy = []
    for field in FIELDS:
        if first[field] is None or any(b[field] < a[field] for a, b in pairs):
            energy.append(None)
            continue
        low = at_boundary(start, before[-1], first, field) if before else first[field]
        energy.append((at_boundary(start + 900, last, after[0], field) if after else last[field]) - low)
    if None in energy:
        quality = "reset"
    elif not after or not before:
        quality = "start" if after else "open"
    elif not inside:
        quality = "missing"
    else:
        quality = "gap" if first["time"] - before[-1]["time"] > 90 or after[0]["time"] - last["time"] > 90 else "ok"
    return (*energy, quality)


def hours(rows):
    """What quarter_hour must hold: (meter, start): (win, wout, quality). All readings send wout."""
    return {
        (meter, start): quarter(start, readings)
        for meter, readings in counted(rows).items()
        for start in range(int(readings[0]["time"]) // 900 * 900, int(readings[-1]["time"]) + 1, 900)
    }
