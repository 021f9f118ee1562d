"""`Optimizer.compile`: how many programs there are, what goes around them, and when they end."""

import copy

import pytest
import torch

from trainloop.optim import SGD, Adagrad, Adam, RMSprop


def test_options_that_change_every_step_end_compilation(params, clone_params, params_of, run, count_graphs):
    # OneCycleLR moves the betas, too. Eight programs are enough; from then on the step runs as it is written.
    ours, plain = Adam(params, lr=0.05), Adam(clone_params(params), lr=0.05)
    graphs, backend = count_graphs
    ours.compile(backend=backend)
    schedulers = [torch.optim.lr_scheduler.OneCycleLR(o, max_lr=0.1, total_steps=40) for o in (ours, plain)]
    with pytest.warns(UserWarning, match="Adam goes on uncompiled: .* cycle_momentum=False"):
        for step in range(15):
            run(ours, plain, steps=range(3 * step + 1, 3 * step + 2))
            for scheduler in schedulers:
                scheduler.step()
    assert len(graphs) == 8
    for p, q in zip(params, params_of(plain), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-10)


def test_schedules_of_the_rate_alone_keep_the_program(params, clone_params, params_of, run, count_graphs):
    ours, plain = SGD(params, lr=0.05, momentum=0.9), SGD(clone_params(params), lr=0.05, momentum=0.9)
    graphs, backend = count_graphs
    ours.compile(backend=backend)
    one_cycle = torch.optim.lr_scheduler.OneCycleLR
    schedulers = [one_cycle(o, max_lr=0.1, total_steps=40, cycle_momentum=False) for o in (ours, plain)]
    for step in range(30):
        run(ours, plain, steps=range(3 * step + 1, 3 * step + 2))
        for scheduler in schedulers:
            scheduler.step()
    assert len(graphs) == 1
    for p, q in zip(params, params_of(plain), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-10)


def test_a_compiled_step_keeps_state_that_appears_late(params, clone_params, params_of, run):
    # With momentum switched on in mid-run, the compiled update itself makes the buffers.
    ours, plain = SGD(params, lr=0.05), SGD(clone_params(params), lr=0.05)
    ours.compile(backend="eager")
    for step in range(1, 20, 3):
        if step == 10:
            ours.param_groups[0]["momentum"] = plain.param_groups[0]["momentum"] = 0.9
        run(ours, plain, steps=range(step, step + 1))
    for p, q in zip(params, params_of(plain), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)
        assert ours.state.get(p, {}).keys() == plain.state.get(q, {}).keys()


def test_sparse_gradients_go_around_the_program():
    def train(compiled):
        torch.manual_seed(0)
        table = torch.nn.Embedding(6, 3, sparse=True)
        head = torch.nn.Linear(3, 1)
        optimizer = Adagrad([*table.parameters(), *head.parameters()], lr=0.1)
        if compiled:
            optimizer.compile(backend="eager")
        for step in range(4):
            optimizer.zero_grad()
            head(table(torch.tensor([step, 1]))).square().sum().backward()
            optimizer.step()
        return [*table.parameters(), *head.parameters()]

    for p, q in zip(train(True), train(False), strict=True):
        torch.testing.assert_close(p, q)


def test_a_copy_of_a_compiled_optimizer_is_not_compiled(params, run):
    optimizer = Adam(params)
    optimizer.compile(backend="eager")
    run(optimizer, steps=range(3))
    twin = copy.deepcopy(optimizer)
    run(twin, steps=range(3, 5))
    assert twin._compiled is None


@pytest.mark.parametrize("optimizer", [SGD, RMSprop, Adam])
def test_inductor_makes_the_same_step(optimizer):
    # The compiler that readers get. Its steps differ by rounding: multiply-adds are fused.
    options = {"momentum": 0.9} if optimizer is SGD else {}
    generator = torch.Generator().manual_seed(0)
    params = [torch.randn(shape, generator=generator).requires_grad_() for shape in [(8, 8), (8,)]]
    twins = [p.detach().clone().requires_grad_() for p in params]
    ours, plain = optimizer(params, lr=0.01, **options), optimizer(twins, lr=0.01, **options)
    ours.compile()
    for _ in range(5):
        for p, q in zip(params, twins, strict=True):
            p.grad = torch.randn(p.shape, generator=generator)
            q.grad = p.grad.clone()
        ours.step()
        plain.step()
    for p, q in zip(params, twins, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
