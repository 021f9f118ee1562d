"""Estimates of the Hessian's diagonal: exact where they can be, right on average elsewhere."""

import pytest
import torch
from torch.nn.functional import cross_entropy, softmax

from trainloop.optim._curvature import gnb_diagonal, hutchinson_diagonal


def close_on_average(draws: torch.Tensor, exact: torch.Tensor) -> bool:
    """Whether every mean lies within 5 standard errors of what it estimates: missed by chance once in a million."""
    error = (draws.mean(0) - exact).abs()
    return bool((error <= 5 * draws.std(0) / len(draws) ** 0.5 + 1e-12).all())


def test_hutchinson_is_exact_for_a_diagonal_hessian():
    w = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64, requires_grad=True)
    v = torch.tensor([3.0], dtype=torch.float64, requires_grad=True)
    loss = (torch.tensor([1.0, 2.0, -3.0]) * w.square()).sum() + v.pow(3).sum()
    estimates = hutchinson_diagonal(loss, [w, v])
    assert [e.tolist() for e in estimates] == [[2.0, 4.0, -6.0], [18.0]]


def test_hutchinson_is_right_on_average_for_a_full_hessian():
    torch.manual_seed(0)
    half = torch.randn(4, 4, dtype=torch.float64)
    hessian = half @ half.t() - torch.eye(4)
    w = torch.randn(4, dtype=torch.float64, requires_grad=True)
    draws = torch.stack([hutchinson_diagonal(w @ hessian @ w / 2, [w])[0] for _ in range(3000)])
    assert draws.std(0).min() > 0.1
    assert close_on_average(draws, hessian.diagonal())


def softmax_regression():
    torch.manual_seed(0)
    x = torch.randn(5, 3, dtype=torch.float64)
    y = torch.tensor([0, 1, 2, 1, 3])
    weight = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    return x, y, weight, bias


def exact_gauss_newton(x, weight, bias):
    """Jᵀ (diag(p) − ppᵀ) J by hand: the logits are linear, so its diagonal is the mean of p(1 − p) x²."""
    p = softmax(x @ weight.t() + bias, dim=-1).detach()
    spread = p * (1 - p)  # samples × classes
    return (spread.unsqueeze(2) * x.square().unsqueeze(1)).mean(0), spread.mean(0)


def test_gauss_newton_by_hand_is_the_hessian_of_softmax_regression():
    # For logits linear in the weights the two are one: this checks the yardstick of the tests below.
    x, y, weight, bias = softmax_regression()
    hessian = torch.autograd.functional.hessian(lambda w: cross_entropy(x @ w.t() + bias, y), weight)
    diagonal = hessian.reshape(12, 12).diagonal().reshape(4, 3)
    torch.testing.assert_close(exact_gauss_newton(x, weight, bias)[0], diagonal)


def test_gnb_is_right_on_average():
    x, _, weight, bias = softmax_regression()
    draws = [gnb_diagonal(x @ weight.t() + bias, [weight, bias]) for _ in range(4000)]
    for one, exact in zip(zip(*draws, strict=True), exact_gauss_newton(x, weight, bias), strict=True):
        assert (torch.stack(one) >= 0).all()
        assert close_on_average(torch.stack(one), exact)


def test_the_squared_gradient_of_the_loss_is_another_thing():
    x, y, weight, bias = softmax_regression()
    (g,) = torch.autograd.grad(cross_entropy(x @ weight.t() + bias, y), [weight])
    exact = exact_gauss_newton(x, weight, bias)[0]
    for wrong in (g.square(), len(x) * g.square()):
        assert (wrong / exact).log().abs().max() > 1  # off by more than a factor of e somewhere


def test_every_dimension_but_the_classes_counts_predictions():
    x, _, weight, bias = softmax_regression()
    logits = x @ weight.t() + bias
    results = []
    for shaped in (logits, logits.reshape(5, 1, 4), logits.reshape(1, 5, 4)):
        torch.manual_seed(1)
        results.append(gnb_diagonal(shaped, [weight])[0])
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_one_sample_without_a_batch_dimension():
    logits = torch.zeros(2, requires_grad=True)
    assert gnb_diagonal(logits, [logits])[0].tolist() == [0.25, 0.25]  # (p − label)², p = ½


@pytest.mark.parametrize("estimate", ["hutchinson", "gnb"])
def test_graph_and_gradients_stay(estimate):
    x, y, weight, bias = softmax_regression()
    unused = torch.ones(2, dtype=torch.float64, requires_grad=True)
    logits = x @ weight.t() + bias
    loss = cross_entropy(logits, y)
    params = [weight, bias, unused]
    with torch.no_grad():
        made = hutchinson_diagonal(loss, params) if estimate == "hutchinson" else gnb_diagonal(logits, params)
    assert [e.shape for e in made] == [p.shape for p in params]
    assert not any(e.requires_grad for e in made)
    assert made[2].tolist() == [0.0, 0.0]
    assert all(p.grad is None for p in params)
    loss.backward()
    assert weight.grad is not None


def test_a_linear_loss_has_no_curvature():
    w = torch.ones(3, requires_grad=True)
    assert hutchinson_diagonal(2 * w.sum(), [w])[0].tolist() == [0.0, 0.0, 0.0]
