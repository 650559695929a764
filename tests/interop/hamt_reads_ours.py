"""py-hamt opens trees that varvite imported, and xarray shows the data of the source file.

usage: hamt_reads_ours.py VARVITE WORK-DIRECTORY
"""
import asyncio
import sys

import xarray

import peers
from hamt_store import open_store


def main():
    varvite = peers.Varvite(sys.argv[1], sys.argv[2])
    failed = 0
    for number, source in enumerate(peers.sources()):
        root = varvite.text("import", *source.options, source.path)
        car = varvite.work / f"{number}.car"
        varvite("car", "export", "--version", 1 + number % 2, "-o", car, root)
        store = asyncio.run(open_store(car, root))
        for options in source.ways():
            ours = xarray.open_zarr(store, consolidated=False, chunks=None, **options)
            ours = source.comparable(ours, options)
            failed += peers.report(f"{source.name}, {options}",
                                   peers.compare_datasets(ours, source.open(**options)))
    sys.exit(failed > 0)


main()
