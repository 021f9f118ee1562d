"""What must each schedule be told, where does it begin, what does it do past its end, and does it spare others' work?

    python examples/schedules/facts.py

Measured on the first setting of every schedule's figure. Takes a second.
"""

from _schedules import SCHEDULES, UPDATES, metric_of, optimizer_at, trace

from trainloop import schedulers

BEYOND = 30


def past_the_end(schedule):
    """What the learning rate does in the updates after the run: a word."""
    setting = schedule.settings[0]
    if schedule.kind in ("yours", "composes"):
        return "as its parts do" if schedule.kind == "composes" else "as your function does"
    if not schedule.needs.startswith("the run's length"):
        return "has no end"
    try:
        lrs, _ = trace(schedule, setting, UPDATES + BEYOND)
    except ValueError:
        return "raises an error"
    end = lrs[UPDATES]
    if max(lrs[UPDATES:]) > end + 1e-9:
        return f"rises again, to {lrs[-1]:.2f} after {BEYOND} updates"
    return f"stays at {end:g}"


def spares_others(schedule):
    """Whether a factor of one half, by another scheduler, is still there after half of the run."""
    setting = schedule.settings[0]
    alone, _ = trace(schedule, setting, UPDATES // 2)
    optimizer = optimizer_at()
    schedulers.ConstantLR(optimizer, factor=0.5, total_iters=10**6)
    scheduler = schedule.make(optimizer, setting)
    for update in range(UPDATES // 2 - 1):
        if setting.cadence == "step":
            scheduler.step()
        elif (update + 1) % 10 == 0:
            scheduler.step(*([metric_of(update // 10)] if setting.cadence == "metric" else []))
    return abs(optimizer.param_groups[0]["lr"] - alone[-1] / 2) < 1e-9


def row(stem, schedule):
    lrs, _ = trace(schedule, schedule.settings[0], UPDATES)
    begins = lrs[0] / max(lrs)
    return {
        "page": stem.replace("_", "-"),
        "name": schedule.name,
        "needs": schedule.needs,
        "cadence": {"metric": "metric, per epoch", "any": "step or epoch"}.get(schedule.cadence, schedule.cadence),
        "begins": begins,
        "warms_up": "yes" if begins < 1 else "no",
        "past_the_end": past_the_end(schedule),
        "spares_others": "yes" if spares_others(schedule) else "no",
        "in_torch": "yes" if schedule.twin else "no",
    }


def run(quick=False):
    rows = [row(stem, schedule) for stem, schedule in SCHEDULES.items()]
    return {
        "rows": rows,
        "schedules": dict(zip(SCHEDULES, rows, strict=True)),
        "count": len(rows),
        "in_torch": sum(it["in_torch"] == "yes" for it in rows),
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
