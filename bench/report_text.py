"""Figures as the reports print them."""


def show_ns(ns):
    if ns is None:
        return "–"
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


def show_factor(value):
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def verdict(ok):
    return "met" if ok else "**not met**"
