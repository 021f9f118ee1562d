import json
import math

from trainloop.history import History

HISTORY = History(
    loss=[2.0, math.inf],
    lr=[[0.1, 0.2], [0.01, 0.02]],
    grad_norm=[1.0, 2.0],
    skipped=[1],
    train_loss=[1.5],
    validation=[{"loss": 1.0}],
    seconds=[0.5],
)


def test_it_goes_through_json():
    assert History.from_dict(json.loads(json.dumps(HISTORY.as_dict()))) == HISTORY


def test_the_lists_are_copies():
    columns = HISTORY.as_dict()
    other = History.from_dict(columns)
    columns["loss"].append(0.0)
    other.loss.append(1.0)
    assert HISTORY.loss == [2.0, math.inf]


def test_learning_rate_of_a_group():
    assert HISTORY.lr_of() == [0.1, 0.01]
    assert HISTORY.lr_of(1) == [0.2, 0.02]
