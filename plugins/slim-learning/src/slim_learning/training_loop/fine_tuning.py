"""What a new run takes over from a checkpoint, and what is said of it."""

from collections.abc import Callable, Mapping
from typing import Any

import slimcore.checkpoints as checkpoints


def restoring(
    path: str, variables: Mapping[str, Any], settings: Mapping[str, Any], tell: Callable[[str], Any]
) -> Callable[[], None]:
    """Tells the restore plan of a new run, and returns the function that carries it out.

    Args:
        path: A checkpoint's prefix, or a folder, for the newest in it.
        variables: The network's, by name.
        settings: `exclude_scopes`, `rename` and `ignore_missing`, where they are given.
        tell: Takes the plan as text.

    Raises:
        CheckpointError: It cannot be read or does not fit; or a scope to exclude is unknown.
    """
    options: dict[str, Any] = {
        "exclude": settings.get("exclude_scopes"),
        "rename": settings.get("rename"),
        "ignore_missing": bool(settings.get("ignore_missing")),
    }
    tell(_report(checkpoints.plan(path, variables, **options, strict=False)))
    plan = checkpoints.plan(path, variables, **options)
    return lambda: plan.assign(variables)


def _report(plan: checkpoints.Plan) -> str:
    """Returns the plan, without the state of the training that wrote the checkpoint."""
    taken, all_of_them = len(plan.of("matched", "renamed")), len(plan.entries)
    there = {entry.source for entry in plan.entries} | set(plan.unused)
    state = [name for name in plan.unused if _is_state(name, there)]
    lines = str(plan).splitlines()
    beside = {f"  {'unused':<11}  {name}" for name in state}
    lines = [line for line in lines if line not in beside]
    if state:
        lines.append(f"  {'unused':<11}  {len(state)} values of the training that wrote it")
    lines.append(f"{taken} of {all_of_them} variables of the network are taken from there.")
    return "\n".join(lines)


def _is_state(name: str, names: set[str]) -> bool:
    """Returns whether a value belongs to an optimizer or a run, and not to a network."""
    of_a_run = name in ("global_step", "random_seed") or name.startswith(("optimizer/", "data/"))
    return of_a_run or name.rpartition("/")[0] in names
