"""The page on optimizer speed: its record is complete, and its sentences say what the record says."""

import json
from types import SimpleNamespace

import pytest
import torch

import trainloop.optim
from benchmarks import optimizers
from benchmarks.optimizers import (
    RECORDS,
    RULES,
    USED_ROWS,
    WORKLOADS,
    files_of,
    fresh_processes,
    measure,
    parameters,
    settled,
    what_runs,
    workloads,
)
from courseware import ROOT
from courseware.example import load

SPEED = load(ROOT / "examples" / "optimizer-speed" / "speed.py")
RECORD = json.loads((RECORDS / "cpu.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def results():
    return SPEED.run()


def test_every_optimizer_is_measured_on_every_workload():
    assert set(RULES) == set(trainloop.optim.__all__)
    assert {(row["rule"], row["workload"]) for row in RECORD["rows"]} == {
        (name, workload) for name, rule in RULES.items() for workload in workloads(rule)
    }
    assert workloads(RULES["SparseAdam"]) == ["embedding"]
    assert workloads(RULES["Adam"]) == ["resnet18", "mlp", "small"]


def test_every_row_has_times_of_ours_and_of_somebody_else(results):
    alone = {"Adam8bit"}  # no other library writes Adam in 8 bits on the CPU
    for row in RECORD["rows"]:
        assert row["ms"]["trainloop"] > 0
        assert row["rounds"] >= optimizers.LEAST_ROUNDS
        others = [label for label in row["ms"] if not label.startswith("trainloop")]
        assert others or row["rule"] in alone, row["rule"]


def test_workloads_are_what_the_page_says(results):
    assert results["parameters"]["resnet18"] == 11_181_642
    assert len(WORKLOADS["resnet18"]()) == 62
    assert len(WORKLOADS["small"]()) == 200
    for make in WORKLOADS.values():
        for p in parameters(make()[:2], "cpu"):
            assert p.grad is not None and p.grad.shape == p.shape


def test_a_sparse_gradient_is_one():
    with torch.sparse.check_sparse_tensor_invariants(enable=True):
        (p,) = parameters([(5_000, 4)], "cpu", sparse=True)
    assert p.grad.is_sparse and p.grad.shape == p.shape
    assert p.grad._nnz() == USED_ROWS


def test_state_is_what_the_rules_need(results):
    state = {row["rule"]: row["bytes"] for row in results["state"]}
    for rule in ("SGD", "Adagrad", "RMSprop", "Lion", "LARS", "ASGD", "Muon", "ScheduleFreeSGD"):
        assert state[rule] == pytest.approx(4, abs=0.02), rule
    for rule in ("Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Adadelta", "Rprop", "LAMB", "SophiaG"):
        assert state[rule] == pytest.approx(8, abs=0.02), rule
    assert state["Adam8bit"] < 2.2
    assert state["Adafactor"] < 4  # a 3 × 3 filter has little to factor


def test_a_changed_source_is_named(tmp_path, monkeypatch):
    record = json.loads(json.dumps(RECORD))
    record["card"]["sources"]["trainloop/optim/adam.py"] = "another digest"
    (tmp_path / "cpu.json").write_text(json.dumps(record), encoding="utf-8")
    monkeypatch.setattr(SPEED, "RECORDED", tmp_path)
    assert "trainloop/optim/adam.py" in SPEED.read("cpu")["card"]["changed"]
    assert SPEED.read("cuda") is None  # nobody has recorded one there: the page says so


def test_times_depend_on_the_files_that_a_rule_imports():
    def names(rule):
        return {name.removeprefix("trainloop/optim/").removesuffix(".py") for name in files_of(rule)}

    shared = {"_base", "_compile", "_jobs", "_lists"}
    assert names("SGD") == shared | {"sgd"}
    assert names("Lookahead") >= {"lookahead", "sgd", "_base"}
    assert names("Adam8bit") >= {"adam8bit", "adam", "_quantize"}
    for rule in RULES:
        assert files_of(rule) <= optimizers.sources().keys()


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ("trainloop/optim/adam.py", {"SGD"}),
        ("trainloop/optim/sgd.py", {"Adam8bit"}),
        ("trainloop/optim/_base.py", set()),
        ("benchmarks/optimizers.py", {"SGD", "Adam8bit"}),
    ],
)
def test_what_a_change_leaves_valid_stays_in_the_record(tmp_path, monkeypatch, changed, kept):
    monkeypatch.setattr(optimizers, "RECORDS", tmp_path)
    card = {"device": "this one", "sources": optimizers.sources()}
    rows = [{"rule": rule, "workload": "mlp"} for rule in ("SGD", "RAdam", "Adam8bit")]
    optimizers.record("cpu", card, rows)
    card["sources"] = {**card["sources"], changed: "another digest"}
    optimizers.record("cpu", card, [{"rule": "RAdam", "workload": "mlp"}])
    written = json.loads((tmp_path / "cpu.json").read_text(encoding="utf-8"))
    assert {row["rule"] for row in written["rows"]} == kept | {"RAdam"}
    assert written["card"] == card
    optimizers.record("cpu", {**card, "device": "another"}, rows[:1])
    written = json.loads((tmp_path / "cpu.json").read_text(encoding="utf-8"))
    assert [row["rule"] for row in written["rows"]] == ["SGD"]


def test_words_do_not_change_a_digest():
    plain = "x = {'#': 1}\n\n\ndef f():\n    return x['#']\n"
    told = '"""Says\nsomething."""\n\nx = {\'#\': 1}  # one\n"""An attribute\'s."""\n\n\ndef f():\n'
    told += '    r"""Short."""\n\n    # Long.\n    return x[\'#\']\n'
    assert what_runs(told) == what_runs(plain) == "x = {'#': 1}\ndef f():\n    return x['#']"
    assert what_runs(plain.replace("1", "2")) != what_runs(plain)
    assert what_runs(plain.replace("    return", "        return")) != what_runs(plain)


def test_a_rule_is_measured_in_both_orders(monkeypatch, tmp_path):
    settings = "MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "TORCHINDUCTOR_COMPILE_THREADS"
    for name in (*settings, "TORCHINDUCTOR_CACHE_DIR"):
        monkeypatch.setenv(name, "")  # what is set for the new processes is forgotten after this test
    orders = []
    with fresh_processes(str(tmp_path)) as fresh:
        submit = fresh.submit
        done = []

        def noting(*task):
            orders.append(task)
            done.append(submit(*task))
            return done[-1]

        monkeypatch.setattr(fresh, "submit", noting)
        row = measure(fresh, "SGD", "small", "cpu", seconds=0.05, compiled=False)
    assert len(orders) >= 4  # more, if these did not settle who is faster
    assert [reverse for *_, reverse in orders] == [False, True] * (len(orders) // 2)
    assert row["tensors"] == 200 and row["rounds"] >= optimizers.LEAST_ROUNDS
    assert row["ms"].keys() == {"trainloop", "torch loop", "torch foreach", "torch fused"}
    assert all(ms > 0 for ms in row["ms"].values())
    ours = [task.result()["ms"]["trainloop"] for task in done]
    assert row["ms_of_each_process"]["trainloop"] == ours
    assert row["ms"]["trainloop"] == pytest.approx(sum(ours) / len(ours))
    assert row["made_first_over_last"] == pytest.approx(sum(ours[::2]) / sum(ours[1::2]))


def test_a_compiled_step_meets_a_kernel_in_more_processes(monkeypatch):
    class Fresh:
        """Answers at once; each process takes a millisecond more than the one before."""

        def __init__(self, factors):
            self.factors = factors
            self.tasks = []

        def submit(self, _, *task):
            self.tasks.append(task)
            ms = float(len(self.tasks))
            once = {"rounds": 5, "ms": {label: factor * ms for label, factor in self.factors.items()}}
            return SimpleNamespace(result=lambda: once)

    beside_foreach = {"trainloop": 1, "torch foreach": 1.1}
    compiled = {**beside_foreach, "trainloop, compiled": 0.5}
    for factors, count in ((beside_foreach, 4), (compiled, 4), ({**compiled, "torch fused": 0.6}, 12)):
        fresh = Fresh(factors)
        row = measure(fresh, "Adam", "mlp", "cpu", seconds=1.2, compiled=True)
        assert [reverse for *_, reverse in fresh.tasks] == [False, True] * (count // 2)
        assert all(seconds == pytest.approx(0.3) for _, _, _, seconds, *_ in fresh.tasks)
        assert row["ms_of_each_process"]["trainloop"] == list(range(1, count + 1))
        assert row["rounds"] == 5 * count


def test_processes_are_added_until_it_is_clear_who_is_faster():
    def ms(*ratios, rival="torch foreach", **others):
        return [{"trainloop": x, rival: 1.0, **others} for x in ratios]

    assert settled(ms(0.9, 0.92, 0.9, 0.92)) and settled(ms(1.1, 1.12, 1.1, 1.12))
    assert not settled(ms(0.98, 1.01, 0.98, 1.01))
    assert not settled(ms(0.5, 1.3, 0.5, 1.3))
    assert not settled(ms(0.98, 1.01, 0.98, 1.01, rival="timm"))
    assert not settled(ms(0.98, 1.01, 0.98, 1.01, rival="torch loop"))  # the only one there is
    assert settled(ms(0.98, 1.01, 0.98, 1.01, rival="torch loop", **{"torch foreach": 2.0}))


def test_the_error_of_a_ratio_leaves_the_order_out():
    # By turns 0.9 and 1.1 times as long: which one depends on the order alone, and of the mean nothing is uncertain.
    series = {"trainloop, compiled": [9.0, 11.0] * 3, "torch fused": [10.0] * 6}
    assert SPEED.kernel_error({"ms_of_each_process": series}) == pytest.approx(0)
    series["trainloop, compiled"][0] = 9.6  # pairs: 1.03, 1, 1
    assert SPEED.kernel_error({"ms_of_each_process": series}) == pytest.approx(0.01)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_second_time_the_last_is_made_first(monkeypatch, reverse):
    made = []

    def contenders(*_):
        def make(label):
            return lambda params: made.append(label) or torch.optim.SGD(params)

        return {label: make(label) for label in ("trainloop", "torch loop", "torch fused")}

    monkeypatch.setattr(optimizers, "contenders", contenders)
    optimizers.measure_once("SGD", "small", "cpu", 0.01, False, reverse)
    order = ["trainloop", "torch loop", "torch fused"]
    assert made == (order[::-1] if reverse else order)


def test_what_the_page_says_of_the_aims_follows_from_its_table(results):
    ratios = {
        name: [line["compiled_over_fused"] for line in part["torch"] if line["compiled_over_fused"]]
        for name, part in results["tables"].items()
    }
    assert len(ratios["resnet18"]) == len(ratios["mlp"]) == 4  # SGD, Adagrad, Adam and AdamW have fused kernels
    aims = results["summary"]["aims"]
    assert aims["pairs"] == 8
    missed = [x for x in ratios["resnet18"] if x > 1.0] + [x for x in ratios["mlp"] if x > 1.1]
    assert [miss["ratio"] for miss in aims["missed"]] == missed
