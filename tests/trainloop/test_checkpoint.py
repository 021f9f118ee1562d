"""Checkpoints: whole at every moment, safe to read, and only what can be read back gets in."""

import os
import time
from collections import Counter, OrderedDict

import killed
import numpy as np
import pytest
import torch
from torch import nn

from trainloop.checkpoint import Checkpoints, load_state, save_state

STATE = {
    "weights": OrderedDict(w=torch.arange(3.0)),
    "parameter": nn.Parameter(torch.ones(2)),
    "plain": [1, 2.5, "three", None, True, (4, 5), {6}, b"7", 8j],
    "types": [torch.float32, torch.device("cpu"), torch.Size([1])],
    "milestones": Counter({3: 1}),
    7: "a key that is a number",
}


def test_what_is_saved_is_what_is_loaded(tmp_path):
    save_state(STATE, tmp_path / "deep" / "er" / "state.pt")
    loaded = load_state(tmp_path / "deep" / "er" / "state.pt")
    assert torch.equal(loaded["weights"]["w"], torch.arange(3.0))
    assert torch.equal(loaded["parameter"], torch.ones(2))
    for key in ("plain", "types", "milestones", 7):
        assert loaded[key] == STATE[key]
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["state.pt"]


@pytest.mark.parametrize(
    ("stranger", "message"),
    [
        ({"a": [1, np.float64(2.0)]}, "got float64 at state['a'][1]"),
        ({"lr_lambda": [lambda t: t]}, "got function at state['lr_lambda'][0]"),
        ({np.int64(1): 0}, "got int64 at the keys of state[0]"),
        ({"m": {"n": nn.Linear(1, 1)}}, "got Linear at state['m']['n']"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(stranger, message, tmp_path):
    with pytest.raises(ValueError) as error:
        save_state(stranger, tmp_path / "state.pt")
    assert str(error.value) == f"state must hold tensors and plain values, {message}"
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "state.pt"
    save_state({"n": 1}, path)

    def full_disk(state, file):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_state({"n": 2}, path)
    assert load_state(path) == {"n": 1}


def test_no_code_is_run_by_loading(tmp_path):
    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({"weights": Payload()}, tmp_path / "evil.pt")
    with pytest.raises(ValueError, match=r"^path must be a whole checkpoint, got .*evil\.pt"):
        load_state(tmp_path / "evil.pt")
    assert not (tmp_path / "executed").exists()


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "state.pt"
    save_state(STATE, path)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no checkpoint"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"^path must be a whole checkpoint, got .*state\.pt"):
            load_state(path)
    torch.save(torch.ones(1), path)
    with pytest.raises(ValueError, match="path must be a checkpoint with a dict, got a Tensor"):
        load_state(path)
    with pytest.raises(FileNotFoundError):
        load_state(tmp_path / "none.pt")


# Killed while writing


@pytest.mark.parametrize(
    ("moment", "survivor"),
    [
        ("half written", 1),
        ("before it is on the disk", 1),
        ("before it is renamed", 1),
        ("after it is renamed", 2),
    ],
)
def test_killed_while_writing(moment, survivor, tmp_path):
    path = tmp_path / "state.pt"
    save_state(killed.version(1), path)
    assert killed.was_killed(killed.start(killed.write_and_die, path, moment))
    assert_version(load_state(path), survivor)
    save_state(killed.version(3), path)  # what the dead process left over is in nobody's way
    assert_version(load_state(path), 3)


def test_killed_at_any_moment(tmp_path):
    path = tmp_path / "state.pt"
    save_state(killed.version(0), path)
    last = 0
    for i in range(8):
        process = killed.start(killed.write_versions, path)
        while load_state(path)["n"] in (0, last):  # until it has begun
            assert process.is_alive()
        time.sleep(0.003 * i)
        process.kill()
        assert killed.was_killed(process)
        last = load_state(path)["n"]
        assert_version(load_state(path), last)
        save_state(killed.version(0), path)


def assert_version(state, n):
    expected = killed.version(n)
    assert state["n"] == n
    assert torch.equal(state["a"], expected["a"])
    assert all(torch.equal(a, b) for a, b in zip(state["b"], expected["b"], strict=True))


# A folder of them


def test_the_newest_stay(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    assert checkpoints.load_newest() is None
    for step in (5, 99_999_999, 100_000_000, 7):  # numbers, not names, are compared
        checkpoints.save({"step": step}, step)
    assert [path.name for path in checkpoints.paths()] == ["step-99999999.pt", "step-100000000.pt"]
    assert checkpoints.load_newest() == {"step": 100_000_000}


def test_a_folder_that_does_not_exist_has_no_checkpoint(tmp_path):
    assert Checkpoints(tmp_path / "none").load_newest() is None


def test_other_files_are_left_alone_and_left_overs_removed(tmp_path):
    for name in ("notes.txt", "step-best.pt", "step-00000007.pt.partial"):
        (tmp_path / name).write_text("x")
    checkpoints = Checkpoints(tmp_path, keep=1)
    for step in (1, 2):
        checkpoints.save({}, step)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "step-00000002.pt", "step-best.pt"]


def test_when_a_checkpoint_is_due():
    assert [step for step in range(1, 8) if Checkpoints("x", every=3).is_due(step)] == [3, 6]
    assert not any(Checkpoints("x").is_due(step) for step in range(1, 8))


@pytest.mark.parametrize("option", ["every", "keep"])
def test_bad_options(option):
    with pytest.raises(ValueError, match=f"^{option} must be >= 1, got 0$"):
        Checkpoints("x", **{option: 0})
