"""Measuring: each metric is the mean over all samples, and the model is left as it was."""

import pytest
import torch
from torch import nn

from trainloop.loop import evaluate
from trainloop.validation import measure

mse = nn.functional.mse_loss
X = torch.linspace(-1, 1, 10, dtype=torch.float64).unsqueeze(1)
Y = 2 * X + 3
UNEVEN = [(X[:4], Y[:4]), (X[4:8], Y[4:8]), (X[8:], Y[8:])]


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(1, 4), nn.Dropout(0.5), nn.Linear(4, 1)).double()


def test_metrics_are_means_over_samples():
    model = make_model()
    measured = measure(model, {"loss": mse, "error": nn.functional.l1_loss}, UNEVEN)
    assert measured["loss"] == evaluate(model, mse, UNEVEN)
    assert measured["error"] == evaluate(model, nn.functional.l1_loss, UNEVEN)


def test_other_weights():
    weights = iter([3, 1])
    batches = [(torch.zeros(2, 1), torch.zeros(2, 1)), (torch.ones(2, 1), torch.zeros(2, 1))]
    assert measure(nn.Identity(), {"loss": mse}, batches, count=lambda x, y: next(weights)) == {"loss": 0.25}


def test_a_metric_may_return_a_number_and_sees_eval_mode():
    model, seen = make_model(), []
    model[2].eval()

    def metric(prediction, y):
        seen.append((model.training, torch.is_grad_enabled()))
        return 1.0

    assert measure(model, {"one": metric}, UNEVEN) == {"one": 1.0}
    assert set(seen) == {(False, False)}
    assert [layer.training for layer in model] == [True, True, False]


def test_autocast():
    types = []

    def metric(prediction, y):
        types.append(prediction.dtype)
        return 0.0

    measure(nn.Linear(1, 1), {"m": metric}, [(X.float(), Y.float())], autocast=torch.bfloat16)
    assert types == [torch.bfloat16]


def test_no_samples():
    with pytest.raises(ValueError, match="batches must hold at least one sample, got none"):
        measure(make_model(), {"loss": mse}, [])
