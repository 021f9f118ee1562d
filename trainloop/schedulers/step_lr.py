"""StepLR: the learning rate drops by a constant factor every so many steps.

The staircase of torch's own ImageNet example, a tenth every 30 epochs:
https://github.com/pytorch/examples/tree/main/imagenet. Torch's:
https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html.

Made to be stepped once per epoch; with `step_size` counted in updates it works per update as well.
"""

from torch.optim import Optimizer

from trainloop.schedulers._base import Lr, Scheduler, check_count, check_step, require

__all__ = ["StepLR", "step_lr"]


def step_lr(step: int, lr: float, *, step_size: int, gamma: float = 0.1) -> float:
    r"""Return the learning rate at a step.

    $$ \eta_t = \eta_0 \, \gamma^{\lfloor t / s \rfloor} $$

    Args:
        step: $t \ge 0$, the number of `scheduler.step()` calls before.
        lr: $\eta_0 \ge 0$, the learning rate at step 0.
        step_size: $s \ge 1$, steps from one drop to the next.
        gamma: $\gamma \ge 0$, the factor of one drop.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> [step_lr(t, 0.5, step_size=2, gamma=0.5) for t in range(6)]
        [0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    """
    check_step(step, lr)
    _check(step_size, gamma)
    # --8<-- [start:schedule]
    return lr * gamma ** (step // step_size)
    # --8<-- [end:schedule]


class StepLR(Scheduler):
    r"""Multiply the learning rate by gamma every `step_size` steps.

    $$
    \eta_t = \begin{cases}
        \gamma \, \eta_{t-1} & \text{if } t > 0 \text{ and } s \text{ divides } t \\
        \eta_{t-1} & \text{otherwise}
    \end{cases}
    $$

    Args:
        optimizer: the optimizer whose learning rates to change.
        step_size: $s \ge 1$, steps from one drop to the next.
        gamma: $\gamma \ge 0$, the factor of one drop.
        last_epoch: -1 to begin; to resume, one less than the number of `step()` calls so far.

    Raises:
        ValueError: an argument is out of range.

    Differs from torch.optim.lr_scheduler:
        Bitwise equal, tested. The arguments are checked; torch fails later, with a `ZeroDivisionError`,
        when `step_size` is 0. As in torch, a resume by `last_epoch` at a multiple of `step_size` drops the
        learning rate a second time: load a `state_dict` instead.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        >>> scheduler = StepLR(optimizer, step_size=2, gamma=0.5)
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        _check(step_size, gamma)
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    # --8<-- [start:recursion]
    def next_lr(self, lr: Lr, base_lr: Lr) -> Lr:
        t = self.last_epoch
        if t == 0 or t % self.step_size != 0:
            return lr
        return lr * self.gamma

    # --8<-- [end:recursion]

    def _get_closed_form_lr(self) -> list[Lr]:
        return self.closed_form(step_lr, step_size=self.step_size, gamma=self.gamma)


def _check(step_size: int, gamma: float) -> None:
    check_count("step_size", step_size, least=1)
    require(gamma >= 0, "gamma must be >= 0", gamma)
