"""8-bit Adam: Adam, with its two averages stored in one byte per weight each instead of four.

Dettmers et al., "8-bit Optimizers via Block-wise Quantization", 2022, https://arxiv.org/abs/2110.02861. The
authors' code: https://github.com/bitsandbytes-foundation/bitsandbytes.
"""

import torch
from torch import Tensor

from trainloop.optim._base import Group, ParamsT, State, check_range, new_step
from trainloop.optim._quantize import codebook, dequantize, quantize
from trainloop.optim.adam import Adam

__all__ = ["Adam8bit"]

SIGNED = {"exp_avg": True, "exp_avg_sq": False}
"""The state that is quantised, and whether its numbers have signs."""


class Adam8bit(Adam):
    r"""Adam with 8-bit state.

    $$
    \begin{aligned}
    m_{t-1} &= Q^{-1}(\tilde m_{t-1}), \qquad v_{t-1} = Q^{-1}(\tilde v_{t-1}) \\
    (\theta_t, m_t, v_t) &= \text{Adam}(\theta_{t-1}, m_{t-1}, v_{t-1}, g_t) \\
    \tilde m_t &= Q(m_t), \qquad \tilde v_t = Q(v_t)
    \end{aligned}
    $$

    Between steps there are only the codes $\tilde m$ and $\tilde v$. $Q$ divides a block of numbers by the largest
    absolute value in it, and replaces each by the nearest of 256 values in [−1, 1] – for $v$ in [0, 1] – that lie
    closer the smaller they are. Adam's own arithmetic stays in 32 bits, or in 64 for parameters of that type.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, in units of the parameters; a number or a 0-dim tensor. The length
            of the first step.
        betas: $(\beta_1, \beta_2)$ in [0, 1), the memories of $m$ and $v$: about $1/(1-\beta)$ steps.
        eps: $\varepsilon \ge 0$, in units of the gradient; keeps steps finite where $v$ is near 0.
        weight_decay: $\lambda \ge 0$, the strength of the L2 penalty $\tfrac{\lambda}{2}\|\theta\|^2$, as in Adam.
        block_size: numbers per block, $\ge 1$. Each block adds 4 bytes to $m$ and 4 to $v$: 2.03 bytes per weight
            in all with blocks of 256, 2.004 with blocks of 2,048.
        min_8bit_size: parameters with fewer elements keep 32-bit state, and are updated by Adam itself.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range, or a loaded `state_dict` is AdamW's.

    Differs from the paper:
        In nothing but its "stable embedding layer", which is a matter of the model. The authors' code, whose
        defaults these are, decouples the weight decay. As there, a $v$ below $1.6 \cdot 10^{-7}$ times its block's
        largest is stored as 0; if such a weight's gradient is then 0 for a step, $\varepsilon$ alone divides its $m$,
        and it moves far: choose `eps` with care where gradients are sparse.

    Examples:
        >>> import torch
        >>> w = torch.full((4096,), 4.0, requires_grad=True)
        >>> optimizer = Adam8bit([w], lr=0.5)
        >>> w.square().sum().backward()
        >>> optimizer.step()
        >>> w[0].item()  # Adam's first step
        3.5
        >>> optimizer.state[w]["exp_avg"].dtype, optimizer.state[w]["exp_avg_scale"].numel()
        (torch.uint8, 16)
    """

    takes_lists = False  # the blocks depend on where an element stands
    optional = Adam.optional | {"block_size", "min_8bit_size"}  # Adam's state lacks them

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        block_size: int = 256,
        min_8bit_size: int = 4096,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "block_size": block_size,
            "min_8bit_size": min_8bit_size,
            "amsgrad": False,
            "maximize": maximize,
            "decoupled_weight_decay": False,
        }
        super(Adam, self).__init__(params, defaults)  # Adam's own knows fewer options

    def check(self, group: Group) -> None:
        super().check(group)
        check_range(group, "min_8bit_size")
        if group["block_size"] < 1:
            raise ValueError(f"block_size must be >= 1, got {group['block_size']}")

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        zeros = torch.zeros_like(θ, dtype=_wide(θ))
        state = {"exp_avg": zeros, "exp_avg_sq": zeros.clone()}
        if θ.numel() >= group["min_8bit_size"]:
            state = _pack(state, group["block_size"])
        return {"step": new_step(), **state}

    # --8<-- [end:state]

    # --8<-- [start:update]
    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        g, block_size = g.to(_wide(θ)), group["block_size"]
        if "exp_avg_scale" not in state:  # a small parameter
            super().update(θ, g, state, group)
            return
        moments = _unpack(state, block_size)
        moments = {name: x.type_as(g) for name, x in moments.items()}
        super().update(θ, g, moments, group)
        state.update(_pack(moments, block_size))

    # --8<-- [end:update]

    def check_saved(self, p: Tensor, saved: State, group: Group) -> None:
        if "exp_avg_scale" not in saved:
            group = {**group, "min_8bit_size": p.numel() + 1}  # Adam's state
        super().check_saved(p, saved, group)

    def load_state_dict(self, state_dict: State) -> None:
        """Load a state, also one of Adam's: a parameter that has no codes there gets 32-bit moments.

        torch casts all state to the parameters' type; here, codes and scales stay what they are.
        """
        super().load_state_dict(state_dict)
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            for p, index in zip(group["params"], saved["params"], strict=True):
                state = state_dict["state"].get(index, {})
                for name in (*SIGNED, *(f"{name}_scale" for name in SIGNED)):
                    if name in state:
                        type_ = state[name].dtype if "exp_avg_scale" in state else _wide(p)
                        self.state[p][name] = state[name].to(p.device, type_, copy=True)


def _wide(θ: Tensor) -> torch.dtype:
    """The type of Adam's arithmetic: float32, or float64 for a parameter of that type."""
    return torch.promote_types(θ.dtype, torch.float32)


# --8<-- [start:pack]
def _pack(moments: State, block_size: int) -> State:
    """Return codes under the moments' names, and the scales."""
    state: State = {}
    for name, signed in SIGNED.items():
        x = moments[name].float()
        codes, scale = quantize(x, codebook(signed, x.device), block_size)
        state |= {name: codes, f"{name}_scale": scale}
    return state


def _unpack(state: State, block_size: int) -> State:
    """Return the moments as float32 numbers."""
    moments: State = {}
    for name, signed in SIGNED.items():
        codes, scale = state[name], state[f"{name}_scale"]
        book = codebook(signed, codes.device)
        moments[name] = dequantize(codes, scale, book, block_size)
    return moments


# --8<-- [end:pack]
