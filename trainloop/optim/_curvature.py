r"""The diagonal of the Hessian, estimated from one batch at the cost of about one more backward pass.

Both functions leave the graph alive, so `loss.backward()` may follow, and touch no `.grad`. Both ask for
the gradient with respect to the parameters directly, so nothing is averaged over processes.

Hutchinson, "A Stochastic Estimator of the Trace of the Influence Matrix", 1989; Bekas, Kokiopoulou and Saad,
"An estimator for the diagonal of a matrix", 2007, https://doi.org/10.1016/j.apnum.2007.01.003. Liu et al.,
"Sophia", 2023, https://arxiv.org/abs/2305.14342, section 2.3 (Gauss–Newton–Bartlett).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["gnb_diagonal", "hutchinson_diagonal"]


def hutchinson_diagonal(loss: Tensor, params: Sequence[Tensor]) -> list[Tensor]:
    r"""Estimate the diagonal of the loss's Hessian $H$ from one product with a random vector.

    $$
    \hat h = z \odot H z, \qquad z_i = \pm 1 \text{ with equal chance}
    $$

    Its mean is the diagonal: $z_i^2 = 1$, and $z_i z_j$ averages to 0. For a diagonal $H$ one draw is exact. Entries
    are negative where the loss curves down, or by chance.

    Args:
        loss: a scalar with its graph, not yet backpropagated.
        params: what to differentiate by. One that the loss does not use gets zeros.

    Returns:
        One estimate per parameter, of its shape.

    Examples:
        >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> hutchinson_diagonal((torch.tensor([3.0, 5.0]) * w.square()).sum(), [w])
        [tensor([ 6., 10.])]
    """
    with torch.enable_grad():
        grads = torch.autograd.grad(loss, params, create_graph=True, materialize_grads=True)
        signs = [torch.randint_like(p, 2).mul_(2).sub_(1) for p in params]
        slope = sum(((g * z).sum() for g, z in zip(grads, signs, strict=True)), start=torch.zeros(()))
    if not slope.requires_grad:  # the loss is linear in all of them
        return [torch.zeros_like(p) for p in params]
    products = torch.autograd.grad(slope, params, retain_graph=True, materialize_grads=True)
    return [z * product for z, product in zip(signs, products, strict=True)]


def gnb_diagonal(logits: Tensor, params: Sequence[Tensor]) -> list[Tensor]:
    r"""Estimate the diagonal of the Gauss–Newton matrix of the mean cross-entropy, which is never negative.

    $$
    \hat h = B\,\hat g^2, \qquad
    \hat g = \nabla \frac{1}{B} \sum_{b=1}^{B} -\log p_\theta(\hat y_b \mid x_b), \qquad
    \hat y_b \sim p_\theta(\cdot \mid x_b)
    $$

    The labels are drawn from the model's own prediction. Under them each sample's gradient has mean 0
    (Bartlett's first identity), so in $\hat g^2$ the products of different samples cancel on average, and $B\,\hat g^2$
    averages to the Gauss–Newton matrix's diagonal (his second). With the data's labels neither holds: the
    squared gradient of the loss is not this estimate.

    Args:
        logits: the model's outputs with their graph, of shape (…, classes). The other dimensions count the B
            predictions; leave out those that the loss ignores, such as padding.
        params: what to differentiate by. One that the logits do not depend on gets zeros.

    Returns:
        One estimate per parameter, of its shape.
    """
    with torch.enable_grad():
        logits = logits.flatten(0, -2) if logits.dim() > 1 else logits.unsqueeze(0)
        labels = torch.multinomial(logits.detach().softmax(-1), 1).squeeze(-1)
        loss = torch.nn.functional.cross_entropy(logits, labels)
    grads = torch.autograd.grad(loss, params, retain_graph=True, materialize_grads=True)
    return [len(logits) * g.square() for g in grads]
