"""`bin/bench grow`: detectors of old classes grow by new ones, beside what they are held against: the base,
plain fine-tuning, and training on everything at once. The tables of docs/quality.md.

    bin/bench grow bccd|cards DATA BASE OUT [--seed N] [--only ROW]
    bin/bench grow scenes --out OUT [--family F] [--seed N] [--only ROW] [--table]

bccd, cards  photographs: red and white cells, then platelets; five ranks, then the ace
scenes       drawn here, five classes and then five more, for narrow detectors of every family
DATA         the data set's folder: of github.com/Shenggan/BCCD_Dataset, or of the playing cards of
             github.com/EdjeElectronics/TensorFlow-Object-Detection-API-Tutorial-Train-Multiple-Objects-Windows-10
BASE         a model folder to start from
OUT          records and runs; what is finished stays, and is not done again
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.bench.grow import photographs, scene_rows, scene_table
from tests.bench.grow.families import FAMILIES


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="bin/bench grow", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sets = parser.add_subparsers(dest="set", required=True)
    for name in photographs.TASKS:
        of_set = sets.add_parser(name)
        for argument in ("data", "base", "out"):
            of_set.add_argument(argument, type=Path)
        of_set.add_argument("--seed", default="1")
        of_set.add_argument("--only", action="append", help="rows to make; default: all")
    scenes = sets.add_parser("scenes")
    scenes.add_argument("--out", type=Path, required=True)
    scenes.add_argument("--family", action="append", choices=list(FAMILIES), help="default: all")
    scenes.add_argument("--seed", action="append", help="of the rows to make; default: all")
    scenes.add_argument("--only", action="append", help="rows to make; default: all")
    scenes.add_argument("--table", action="store_true", help="print the table, make nothing")
    words = parser.parse_args()
    if words.set in photographs.TASKS:
        task = photographs.TASKS[words.set]
        print(photographs.make(task, words.data, words.base, words.out, words.seed, words.only))
        return
    families = words.family or list(FAMILIES)
    for family in () if words.table else families:
        scene_rows.make(family, words.out, words.only, words.seed)
    print(scene_table.table(words.out, families))


if __name__ == "__main__":
    main()
