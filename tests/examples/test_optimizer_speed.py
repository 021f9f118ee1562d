"""The page on optimizer speed: its record is complete, and its sentences say what the record says."""

import json

import pytest
import torch

import trainloop.optim
from benchmarks import optimizers
from benchmarks.optimizers import (
    RECORDS,
    RULES,
    USED_ROWS,
    WORKLOADS,
    fresh_processes,
    measure,
    parameters,
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
    assert [reverse for *_, reverse in orders] == [False, True, False, True]
    assert row["tensors"] == 200 and row["rounds"] >= optimizers.LEAST_ROUNDS
    assert row["ms"].keys() == {"trainloop", "torch loop", "torch foreach", "torch fused"}
    assert all(ms > 0 for ms in row["ms"].values())
    ours = [task.result()["ms"]["trainloop"] for task in done]
    assert row["ms"]["trainloop"] == pytest.approx(sum(ours) / 4)
    assert row["made_first_over_last"] == pytest.approx((ours[0] + ours[2]) / (ours[1] + ours[3]))


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
    aims = results["summary"]["aims_met"]
    assert aims["met"] == sum(x <= 1.0 for x in ratios["resnet18"]) + sum(x <= 1.1 for x in ratios["mlp"])
    assert aims["pairs"] == 8 and aims["met"] <= aims["close"] <= 8
    assert aims["both"] == (aims["met"] == 8)
