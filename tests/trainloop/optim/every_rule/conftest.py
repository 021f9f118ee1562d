"""The table of all rules: what each needs to make a step, and which common duties it lacks, with the reason."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from trainloop.optim import (
    ASGD,
    LAMB,
    LARS,
    LBFGS,
    SGD,
    SOAP,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adam8bit,
    Adamax,
    AdamW,
    Lion,
    Lookahead,
    Muon,
    NAdam,
    RAdam,
    RMSprop,
    Rprop,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    SophiaG,
    SparseAdam,
)

DUTIES = {
    "torch": "do what the class of this name in torch.optim does, to the bit",
    "torch's tensor lr": "do so with a learning rate that is a tensor, too",
    "maximize": "climb, if asked to",
    "groups": "take several parameter groups",
    "no closure": "step with the gradients that are there",
    "rate of 0": "take a learning rate of 0",
    "momentum": "let OneCycleLR move the momentum, or the first of betas",
    "state": "remember something of every parameter",
    "own state": "keep no state of a parameter that never had a gradient",
    "scaler": "make steps under a GradScaler",
    "any layer": "train the parameters of any layer",
    "show non-finite": "hand on a gradient that is not finite to the weights",
    "eps": "have one number for eps, if any",
    "lists": "update many small parameters in one list",
    "every weight for itself": "let nothing but its own gradients move a weight",
    "compile": "run through torch.compile",
    "dense only": "refuse sparse gradients",
}
"""The duties that some rule lacks. All others are everyone's."""

MATRICES = [(3, 4), (4, 3), (2, 2), (5, 1), (1, 5)]
SHAPES = [(3, 4), (5,), (2, 2), (), (2, 3, 2)]


@dataclass(frozen=True)
class Rule:
    """A row of the table: one of our optimizers, with options for two parameter groups.

    Attributes:
        first, second: options of the groups. With several rows for one class, every kind of state is used.
        bytes_per_parameter: of the state, in the first group, for a matrix of 64 × 64 in float32.
        needs: what a step needs: "gradients", "sparse gradients", "a closure" or "estimates" of the curvature.
        takes: parameters of "any shape", of any "but empty" ones, or "matrices".
        lacks: duty → the reason for not having it.
        accepts: another row's name → the reason for taking its state_dict.
        programs: how many programs ten compiled steps need.
    """

    name: str
    ours: type[torch.optim.Optimizer]
    first: dict[str, Any]
    second: dict[str, Any]
    bytes_per_parameter: float
    needs: str = "gradients"
    takes: str = "any shape"
    lacks: dict[str, str] = field(default_factory=dict)
    accepts: dict[str, str] = field(default_factory=dict)
    programs: int = 1

    @property
    def oracle(self) -> type[torch.optim.Optimizer] | None:
        return getattr(torch.optim, self.ours.__name__, None)

    @property
    def speaker(self) -> type[torch.optim.Optimizer]:
        """The class that refuses parameters and options: Lookahead leaves that to its inner optimizer."""
        return SGD if self.ours is Lookahead else self.ours

    def has(self, duties: set[str]) -> bool:
        lacking = self.lacks.keys() | (set() if self.oracle else {"torch", "torch's tensor lr"})
        return not duties & lacking

    # --- Make ---------------------------------------------------------------------------------------

    def params(self, dtype: torch.dtype = torch.float64) -> list[Tensor]:
        """Parameters of every shape that the rule takes, and a matrix whose memory is not in row order."""
        generator = torch.Generator().manual_seed(7)
        shapes = MATRICES if self.takes == "matrices" else SHAPES
        if self.takes == "any shape":
            shapes = [*shapes, (0, 3)]
        params = [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]
        params.append(torch.randn(4, 3, generator=generator, dtype=torch.float64).to(dtype).t())
        return [p.requires_grad_() for p in params]

    def groups(self, params: list[Tensor]) -> list[dict[str, Any]]:
        if "groups" in self.lacks:
            return [{"params": params, **self.first}]
        half = len(params) // 2
        return [{"params": params[:half], **self.first}, {"params": params[half:], **self.second}]

    def build(self, params: Any, **options: Any) -> torch.optim.Optimizer:
        if self.ours is Lookahead:
            return Lookahead(SGD(params, **{"momentum": 0.9} | options), k=5, alpha=0.8, momentum="pull")
        return self.ours(params, **options)

    def make(self, params: list[Tensor], **options: Any) -> torch.optim.Optimizer:
        """Two groups, or one for a rule that takes only one."""
        return self.build(self.groups(params), **{"lr": 0.05} | options)

    def make_oracle(self, params: list[Tensor], **options: Any) -> torch.optim.Optimizer:
        return self.build_oracle(self.groups(params), **{"lr": 0.05} | options)

    def build_oracle(self, params: Any, **options: Any) -> torch.optim.Optimizer:
        plain = {"foreach": False} if "foreach" in inspect.signature(self.oracle).parameters else {}
        return self.oracle(params, **plain, **options)

    def single(self, params: Any, **options: Any) -> torch.optim.Optimizer:
        """One group, and the first options, given to the constructor."""
        return self.build(params, **{"lr": 0.05} | self.first | options)

    # --- Step ---------------------------------------------------------------------------------------

    def loss(self, params: list[Tensor]) -> Tensor:
        """Half the sum of squares: of all elements, or of the rows that a sparse gradient concerns."""
        if self.needs == "sparse gradients":
            rows = torch.tensor([0, 2, 0])
            params = [torch.nn.functional.embedding(rows, p, sparse=True) for p in params]
        return 0.5 * sum((p.square().sum() for p in params), start=torch.zeros((), dtype=torch.float64))

    def closure(self, optimizer: torch.optim.Optimizer, params: list[Tensor]) -> Callable[[], Tensor]:
        """A closure of a training loop: clear the gradients, compute them anew, return the loss."""

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = self.loss(params)
            loss.backward()
            return loss

        return closure

    def step(self, optimizer: torch.optim.Optimizer, set_gradients: Callable[[], None], sign: int = 1) -> None:
        """Make a step with these gradients, or the opposite ones, in the way that the rule needs."""
        params = [p for group in optimizer.param_groups for p in group["params"]]

        def set_all() -> None:
            set_gradients()
            for p in params:
                if p.grad is not None:
                    g = sign * p.grad
                    if self.needs == "sparse gradients":
                        g = torch.where(torch.arange(len(g))[:, None] % 2 == 0, g, 0.0).to_sparse(1)
                    p.grad = g

        def closure() -> Tensor:
            """The loss g · θ + ½ θ²: it has a minimum to find."""
            set_all()
            loss = torch.zeros((), dtype=torch.float64)
            for p in params:
                if p.grad is not None:
                    θ = p.detach()
                    loss += (p.grad * θ + sign * 0.5 * θ * θ).sum()
                    p.grad = (p.grad + sign * θ).contiguous()  # torch's LBFGS wants it
            return loss

        if self.needs == "a closure":
            optimizer.step(closure)
            return
        set_all()
        if self.needs == "estimates" and optimizer.hessian_due:
            optimizer.update_hessian([p.detach().sin() for p in params])  # half of it is below 0
        before = [None if p.grad is None else (p.grad, p.grad.clone()) for p in params]
        optimizer.step()
        for p, grad in zip(params, before, strict=True):
            if grad is None:
                assert p.grad is None
            else:
                assert p.grad is grad[0]
                now, then = p.grad.to_dense(), grad[1].to_dense()
                assert torch.equal(now.nan_to_num(), then.nan_to_num())


# --- The table --------------------------------------------------------------------------------------

NO_MOMENTUM = {"momentum": "it has none"}
MIXES = {"every weight for itself": "its update looks at a tensor as a whole"}
NOT_ELEMENTWISE = {**MIXES, "lists": "its update looks at a tensor as a whole"}
STATELESS = {"state": "without momentum there is none"}
SIGNS = {"show non-finite": "of a gradient, only the sign matters"}
ADAMS_STATE = "the same options, and the same state"

TABLE = [
    Rule("sgd", SGD, {}, {"weight_decay": 0.1, "lr": 0.02}, 0, lacks={**STATELESS, "dense only": "it takes them"}),
    Rule(
        "sgd-momentum",
        SGD,
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.5, "nesterov": False, "dampening": 0.3, "weight_decay": 0.1},
        4,
        lacks={"dense only": "it takes them"},
    ),
    Rule("rmsprop", RMSprop, {}, {"alpha": 0.9, "weight_decay": 0.1}, 4),
    Rule(
        "rmsprop-centered",
        RMSprop,
        {"centered": True},
        {"centered": True, "momentum": 0.9, "alpha": 0.8},
        8,
    ),
    Rule(
        "adam",
        Adam,
        {},
        {"betas": (0.8, 0.9), "weight_decay": 0.1},
        8,
        accepts={"adam8bit-default": "a small parameter's state is Adam's"},
    ),
    Rule("adam-amsgrad", Adam, {"amsgrad": True}, {"amsgrad": False, "eps": 1e-3}, 12),
    Rule("adamw", AdamW, {}, {"betas": (0.8, 0.9), "weight_decay": 0.3}, 8),
    Rule("adamw-amsgrad", AdamW, {"amsgrad": True}, {"amsgrad": False, "eps": 1e-3}, 12),
    Rule("adamax", Adamax, {}, {"betas": (0.8, 0.9), "weight_decay": 0.1}, 8),
    Rule("nadam", NAdam, {}, {"betas": (0.8, 0.9), "weight_decay": 0.1, "momentum_decay": 0.1}, 8),
    Rule("nadam-decoupled", NAdam, {"weight_decay": 0.1, "decoupled_weight_decay": True}, {"eps": 1e-3}, 8),
    Rule(
        "radam",
        RAdam,
        {},
        {"betas": (0.8, 0.9), "weight_decay": 0.1},
        8,
        accepts=dict.fromkeys(("adam", "adamw", "adam8bit-default", "lamb", "lamb-no-ratio"), ADAMS_STATE),
        programs=2,  # before the average is rectified, and after
    ),
    Rule(
        "radam-decoupled",
        RAdam,
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
        {"eps": 1e-3},
        8,
        programs=2,
    ),
    Rule(
        "adagrad",
        Adagrad,
        {},
        {"lr_decay": 0.1, "weight_decay": 0.1},
        4,
        lacks={
            **NO_MOMENTUM,
            "state": "remember something of every parameter",
            "own state": "the constructor makes all state, as torch's does",
            "dense only": "it takes them",
        },
    ),
    Rule("adadelta", Adadelta, {}, {"rho": 0.5, "weight_decay": 0.1}, 8, lacks=NO_MOMENTUM),
    Rule(
        "asgd",
        ASGD,
        {},
        {"lambd": 0.1, "t0": 3, "weight_decay": 0.1},
        4,
        lacks=NO_MOMENTUM,
        programs=2,  # before the average starts, and after
    ),
    Rule("rprop", Rprop, {}, {"etas": (0.3, 1.7), "step_sizes": (1e-4, 1)}, 8, lacks={**NO_MOMENTUM, **SIGNS}),
    Rule(
        "adafactor",
        Adafactor,
        {},
        {"weight_decay": 0.1, "beta2_decay": -0.5, "d": 2.0},
        4 * (64 + 64) / 64**2,
        takes="but empty",  # test_adafactor.py: torch's divides by zero
        lacks={
            **NO_MOMENTUM,
            **MIXES,
            "compile": "each step reads two norms per parameter",
            "eps": "it has a pair: test_adafactor.py",
        },
    ),
    Rule(
        "muon",
        Muon,
        {},
        {"nesterov": False, "momentum": 0.5, "weight_decay": 0.3, "adjust_lr_fn": "match_rms_adamw"},
        4,
        takes="matrices",
        lacks={**NOT_ELEMENTWISE, "maximize": "torch's class has no such option"},
    ),
    Rule(
        "sparseadam",
        SparseAdam,
        {},
        {"betas": (0.8, 0.9), "eps": 1e-3},
        8,
        needs="sparse gradients",
        takes="matrices",
        lacks={
            **NOT_ELEMENTWISE,
            "any layer": "it trains nothing but embeddings: test_sparseadam.py",
            "compile": "torch.compile does not trace sparse gradients",
            "dense only": "it takes nothing else",
        },
        accepts=dict.fromkeys(
            ("adam", "adamw", "radam", "radam-decoupled", "adam8bit-default", "lamb", "lamb-no-ratio"), ADAMS_STATE
        ),
    ),
    *(
        Rule(
            name,
            LBFGS,
            {"max_iter": 4, "max_eval": 20, "history_size": 10, "line_search_fn": search},
            {},
            4 * (2 * 10 + 2),
            needs="a closure",
            lacks={
                **NO_MOMENTUM,
                **zero_rate,
                **NOT_ELEMENTWISE,
                "groups": "all parameters are one vector",
                "no closure": "it asks for the loss several times",
                "scaler": "torch's GradScaler takes no closure",
                "torch's tensor lr": "torch's class measures its last step with the new lr: test_lbfgs.py",
                "compile": "an iteration looks at the loss to decide what to do next",
                "dense only": "it takes them",
            },
        )
        for name, search, zero_rate in (
            ("lbfgs", None, {}),
            ("lbfgs-wolfe", "strong_wolfe", {"rate of 0": "torch's line search divides by it, and so does ours"}),
        )
    ),
    # Beyond torch
    Rule("lamb", LAMB, {}, {"betas": (0.8, 0.9), "weight_decay": 0.1}, 8),
    Rule("lamb-no-ratio", LAMB, {"adapt": False, "weight_decay": 0}, {"eps": 1e-3}, 8),
    Rule("lars", LARS, {"weight_decay": 0.1}, {"momentum": 0.5}, 4),
    Rule("lars-nesterov", LARS, {"nesterov": True, "adapt": False}, {"nesterov": True}, 4),
    Rule("lion", Lion, {"weight_decay": 0.1}, {"betas": (0.5, 0.9)}, 4, lacks=SIGNS),
    Rule(
        "adam8bit",
        Adam8bit,
        {"weight_decay": 0.1, "min_8bit_size": 1, "block_size": 4},
        {"min_8bit_size": 1, "block_size": 3, "betas": (0.8, 0.9)},
        2 + 2 * 4 / 4,
        lacks=NOT_ELEMENTWISE,
        accepts={"adam": "it goes on with 32-bit state: test_adam8bit.py"},
    ),
    Rule("adam8bit-default", Adam8bit, {}, {"eps": 1e-3}, 2 + 2 * 4 / 256, lacks=NOT_ELEMENTWISE),
    Rule(
        "sophiag",
        SophiaG,
        {"gamma": 2.0},
        {"betas": (0.8, 0.9), "weight_decay": 0},
        8,
        needs="estimates",
        lacks={"own state": "an estimate of the curvature comes for all parameters"},
    ),
    Rule(
        "schedulefreesgd",
        ScheduleFreeSGD,
        {"weight_decay": 0.1, "warmup_steps": 5},
        {"momentum": 0.5, "weight_lr_power": 0.0},
        4,
    ),
    Rule(
        "schedulefreeadamw",
        ScheduleFreeAdamW,
        {"weight_decay": 0.1, "warmup_steps": 5, "r": 1.0},
        {"betas": (0.5, 0.9), "eps": 1e-3},
        8,
    ),
    Rule(
        "lookahead",
        Lookahead,
        {},
        {"momentum": 0.5, "weight_decay": 0.1},
        4 + 4 + 4,
        lacks={
            "lists": "its inner optimizer does",
            "compile": "its inner optimizer does",
            "dense only": "its inner optimizer decides",
        },
    ),
    Rule(
        "soap",
        SOAP,
        {"precondition_frequency": 3},
        {"precondition_frequency": 3, "betas": (0.8, 0.9), "shampoo_beta": 0.5, "precondition_1d": True},
        8 + 4 * 4,
        lacks={**NOT_ELEMENTWISE, "show non-finite": "eigenvectors of such a matrix do not exist: test_soap.py"},
        programs=2,  # with a refresh, and without
    ),
]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "duty(*names): run for every rule of the table that has these duties")
    config.addinivalue_line("markers", "lacking(name): run for every rule of the table that lacks this duty")
    config.addinivalue_line("markers", "once_per_class: run for the first row of each class only")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Hand the rows that a test is for to the fixture `rule`."""
    if "rule" not in metafunc.fixturenames:
        return
    wanted, lacking = (
        {name for mark in metafunc.definition.iter_markers(kind) for name in mark.args} for kind in ("duty", "lacking")
    )
    assert wanted | lacking <= DUTIES.keys()
    rows = [rule for rule in TABLE if rule.has(wanted) and lacking <= rule.lacks.keys()]
    if metafunc.definition.get_closest_marker("once_per_class"):
        rows = list({rule.ours: rule for rule in reversed(rows)}.values())[::-1]
    metafunc.parametrize("rule", rows, ids=[rule.name for rule in rows], indirect=True)


@pytest.fixture
def rule(request: pytest.FixtureRequest) -> Rule:
    return request.param


@pytest.fixture
def table() -> list[Rule]:
    return TABLE


@pytest.fixture
def params(rule: Rule) -> list[Tensor]:
    return rule.params()


@pytest.fixture
def run(rule, gradients, params_of):
    """Return a function that steps optimizers side by side, in the way that the rule needs."""

    def run(*optimizers: torch.optim.Optimizer, steps: range, sign: int = 1) -> None:
        for step in steps:
            for optimizer in optimizers:
                rule.step(optimizer, lambda: gradients.set(params_of(optimizer), step), sign)  # noqa: B023 - called here

    return run


@pytest.fixture
def duties() -> dict[str, str]:
    return DUTIES
