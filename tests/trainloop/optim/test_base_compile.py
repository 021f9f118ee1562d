"""`Optimizer.compile`: how many programs there are, what goes around them, and when they end."""

import copy
import weakref

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


def train(optimizers, params, steps, change=None):
    """Take steps with the same gradients on the first optimizer's parameters and on the second's."""
    generator = torch.Generator().manual_seed(1)
    for step in range(steps):
        if change is not None and step == steps // 2:
            for optimizer, own in zip(optimizers, params, strict=True):
                change(optimizer, own)
        for p, q in zip(*params, strict=True):
            grad = torch.randn(p.shape, generator=generator)
            for x in (p, q):
                x.grad = torch.empty_like(x).copy_(grad)
        for optimizer in optimizers:
            optimizer.step()


def images(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in [(4, 3, 2, 2), (4,), (6, 5)]]


@pytest.fixture
def slow_calls(monkeypatch):
    """What went through torch.compile's own checks: a list with an entry for each such call."""
    torch._dynamo.reset()
    calls = []
    compile_function = torch.compile

    def counting(function, **settings):
        compiled = compile_function(function, **settings)

        def call(*args):
            calls.append(args)
            return compiled(*args)

        return call

    monkeypatch.setattr("torch.compile", counting)
    return calls


def test_from_the_third_step_on_the_program_is_called_directly(slow_calls):
    # The first step is not compiled, the second compiles.
    params = images(), images()
    ours, plain = Adam(params[0], lr=0.01), Adam(params[1], lr=0.01)
    ours.compile()
    schedulers = [torch.optim.lr_scheduler.ExponentialLR(o, 0.9) for o in (ours, plain)]
    for _ in range(10):
        train((ours, plain), params, 1)
        for scheduler in schedulers:
            scheduler.step()
    assert len(slow_calls) == 1
    for p, q in zip(*params, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


def load(optimizer, params):
    state = copy.deepcopy(optimizer.state_dict())
    for entry in state["state"].values():
        entry["exp_avg"].mul_(-1)
    optimizer.load_state_dict(state)


def channels_last(optimizer, params):
    params[0].data = params[0].data.to(memory_format=torch.channels_last)


def double(optimizer, params):
    for p in params:
        p.grad = None
        p.data = p.data.double()
    optimizer.load_state_dict(optimizer.state_dict())  # gives the state its parameters' type


def wider(optimizer, params):
    p = params[2]
    optimizer.state.pop(p)
    p.grad = None
    p.data = p.data.repeat(2, 1)


def steeper(optimizer, params):
    optimizer.param_groups[0]["betas"] = (0.5, 0.99)


@pytest.mark.parametrize("change", [load, channels_last, double, wider, steeper])
def test_what_changes_goes_through_torch_compile_again(slow_calls, change):
    # And once it has, the short way is open again.
    params = images(), images()
    ours, plain = Adam(params[0], lr=0.01), Adam(params[1], lr=0.01)
    ours.compile()
    train((ours, plain), params, 10, change)
    assert 1 < len(slow_calls) <= 3
    for p, q in zip(*params, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
        assert p.dtype == q.dtype and p.stride() == q.stride()


def test_other_threads_and_autocast_are_noticed(slow_calls):
    params = images(), images()
    ours, plain = Adam(params[0], lr=0.01), Adam(params[1], lr=0.01)
    ours.compile()
    train((ours, plain), params, 4)
    assert len(slow_calls) == 1
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        train((ours, plain), params, 2)
    finally:
        torch.set_num_threads(threads)
    assert len(slow_calls) == 2
    with torch.autocast("cpu"):
        train((ours, plain), params, 2)
    assert len(slow_calls) == 4


def test_a_step_between_forward_and_backward_is_an_error_compiled_too(slow_calls):
    # The program writes to memory itself: the weights' versions tell autograd that they are not what they were.
    net = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 1))
    optimizer = SGD(net.parameters(), lr=0.1)
    optimizer.compile()
    for _ in range(4):
        optimizer.zero_grad()
        net(torch.ones(2, 3)).sum().backward()
        optimizer.step()
    assert len(slow_calls) == 1
    loss = net(torch.ones(2, 3)).sum()
    optimizer.step()
    assert len(slow_calls) == 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_step_lets_go_of_the_gradients(slow_calls):
    # Where they are set to None, the next forward pass has their memory.
    params = images()
    optimizer = Adam(params)
    optimizer.compile()
    for _ in range(4):
        for p in params:
            p.grad = torch.ones_like(p)
        optimizer.step()
    assert len(slow_calls) == 1
    grads = [weakref.ref(p.grad) for p in params]
    optimizer.zero_grad()
    assert [grad() for grad in grads] == [None] * 3


def test_one_gradient_for_two_parameters_is_not_taken_for_two(slow_calls):
    # torch.compile makes one input of them: a program that later steps, with two gradients, must not run.
    params = [torch.ones(3, requires_grad=True) for _ in range(2)]
    ours = SGD(params, lr=1.0)
    ours.compile()
    shared = torch.ones(3)
    for own in (False, True, True, False):
        for i, p in enumerate(params):
            p.grad = torch.full((3,), float(i)) if own else shared
        ours.step()
    assert [p[0].item() for p in params] == [1 - 1 - 0 - 0 - 1, 1 - 1 - 1 - 1 - 1]


@pytest.mark.parametrize(
    "settings", [{"backend": "eager"}, {"mode": "default"}, {"options": {"epilogue_fusion": False}}]
)
def test_a_backend_a_mode_and_options_are_torch_compiles_own(slow_calls, settings):
    params = images(), images()
    ours, plain = Adam(params[0], lr=0.01), Adam(params[1], lr=0.01)
    ours.compile(**settings)
    train((ours, plain), params, 4)
    assert len(slow_calls) == 3
    for p, q in zip(*params, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


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
