"""How a command that writes a set of records goes on, and what it shows of the set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfrec_tools.cli import class_tables, console, manner
from tfrec_tools.cli.shown import say
from tfrec_tools.errors import Interrupted, counted


def write_set(options: Any, engine: Callable[[Any], Any], json: bool) -> None:
    """Has a set DIR/NAME written by `engine`, which takes the options, and shows its manifest or its tables;
    the issues, where the policies do not allow them."""
    import msgspec

    from tfrec_tools.dataset.publish import Refused
    from tfrec_tools.system import stores

    try:
        with console.watched(options) as watched:
            finished = engine(watched)
    except Refused as fault:
        if len(fault.refused) > 1 and not json:  # a single one is told by the error itself
            print_issues(fault.issues, "")
        raise
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same command goes on where this one stopped") from None
    if json:
        outcome = {"outcome": finished.outcome, "changed": finished.changed}
        manner.say_document(msgspec.to_builtins(finished.manifest) | outcome)
    else:
        _summarise(stores.written(options.prefix), finished)


def _summarise(out: Path, finished: Any) -> None:
    """The set's counts, its classes by split, and each kind of issue with its first example."""
    from tfrec_tools.dataset import tfds
    from tfrec_tools.dataset.shards import issues_path

    manifest = finished.manifest
    say_outcome(finished)
    size_mb = sum(shard.bytes for shard in manifest.shards) / 1e6
    title = (
        f"{out}: {counted(manifest.images, 'image')} ({manifest.negatives} without boxes), "
        f"{counted(manifest.boxes, 'box')}, {counted(len(manifest.shards), 'shard')}, {size_mb:.1f} MB"
    )
    headers = ("id", "class", "images", "boxes", *(f"in {split.name}" for split in manifest.splits))
    classes = [
        (
            *(item.id, item.name, item.images, item.boxes),
            *(s.classes.get(item.name, 0) for s in manifest.splits),
        )
        for item in manifest.classes
    ]
    order = class_tables.most_frequent([item.boxes for item in manifest.classes])
    class_tables.print_classes(title, headers, classes, order)
    for split in manifest.splits:
        say(f"{split.name}: {counted(split.images, 'image')}, {counted(split.boxes, 'box')}")
    sources = manifest.sources
    print_accounts([source.path for source in sources], [source.accounting for source in sources])
    _print_labeled(manifest)
    if why := tfds.left_out(out, manifest):
        say(f"tfds.builder_from_directory does not have {out.name}: {why}.")
    print_issues(finished.issues, f", all of them in {issues_path(out)}")


def say_outcome(made: Any, again: str = "--overwrite does it again") -> None:
    """A line where there was something before: that it is as it was, and how it would be made `again`; or in
    what it differed."""
    from tfrec_tools.dataset.changes import told

    if made.outcome == "unchanged":
        say(f"Finished before, by the same command on the same input; {again}.")
    elif made.changed:
        say(f"Rebuilt: what was there was {told(made.changed)}.")


def _print_labeled(manifest: Any) -> None:
    for source in manifest.sources:
        if set(source.labeled) != set(manifest.names):
            say(
                f"{source.path} is annotated for {class_tables.some(source.labeled)} only; its records say "
                "so, so that other classes count as unknown in them, not as background."
            )


def print_accounts(paths: Sequence[str], accounts: Sequence[Any]) -> None:
    """A line for each source: what it holds, and what became of it."""
    for path, account in zip(paths, accounts, strict=True):
        if account is not None:
            litter = counted(account.litter, "file")
            passed = f"; {litter} of the system passed over" if account.litter else ""
            found = f"{counted(account.found, 'annotated object')} in {counted(account.files, 'file')}"
            say(
                f"{path}: {found} = {_outcome(account.written, account.dropped)}; "
                f"{counted(account.images, 'image')} = "
                f"{_outcome(account.images_written, account.images_dropped)}{passed}"
            )


def _outcome(written: int, dropped: Mapping[str, int]) -> str:
    if not dropped:
        return f"{written} written"
    codes = ", ".join(f"{number} {code}" for code, number in dropped.items())
    return f"{written} written + {sum(dropped.values())} dropped ({codes})"


def print_issues(issues: Any, where: str) -> None:
    """A row a code: how many, what it means, the first."""
    from collections import Counter

    from tfrec_tools.annotations.issues import CODES

    if not issues:
        say("No issues found.")
        return
    counts = Counter(issue.code for issue in issues)
    first = {issue.code: issue for issue in reversed(issues)}
    codes = [code for code in CODES if code in counts]
    examples = [f"{first[code].source}: {first[code].message}" for code in codes]
    texts: list[tuple[str, ...]] = [
        (CODES[code], example) for code, example in zip(codes, examples, strict=True)
    ]
    heads: tuple[str, ...] = ("meaning", "first")
    if console.is_narrow():
        heads, texts = ("meaning, and the first",), [("\n".join(both),) for both in texts]
    rows = [(code, counts[code], *text) for code, text in zip(codes, texts, strict=True)]
    title = f"{counted(len(issues), 'issue')}{where}"
    console.print_table(title, ("code", "count", *heads), rows)
