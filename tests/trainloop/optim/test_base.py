"""What every optimizer of the package owes its user, checked against torch's own."""

import copy
import inspect
import io
import math
import pickle

import pytest
import torch

from trainloop.optim import ASGD, SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop, Rprop
from trainloop.optim._base import Optimizer, new_step
from trainloop.optim._lists import TensorList

BOTH = [
    (ours, getattr(torch.optim, ours.__name__))
    for ours in (ASGD, SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop, Rprop)
]


def one_weight(value: float = 1.0, grad: float | None = 1.0) -> torch.Tensor:
    w = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    w.grad = None if grad is None else torch.tensor(grad, dtype=torch.float64)
    return w


# --- The same as torch ------------------------------------------------------------------------------


@pytest.mark.parametrize("maximize", [False, True])
def test_two_groups_equal_torch(case, params, clone_params, run, assert_same, maximize):
    ours = case.make(params, maximize=maximize)
    theirs = case.make_oracle(clone_params(params), maximize=maximize)
    run(ours, theirs, steps=range(150))
    assert_same(ours, theirs)


@pytest.mark.parametrize(("ours", "theirs"), BOTH)
def test_constructor_is_torchs(ours, theirs):
    mine = inspect.signature(ours).parameters
    original = inspect.signature(theirs).parameters
    dropped = {"foreach", "fused", "capturable", "differentiable"}
    if ours is Adam:
        dropped.add("decoupled_weight_decay")  # that is AdamW's rule
    assert list(mine) == [name for name in original if name not in dropped]
    for name, parameter in mine.items():
        assert parameter.default == original[name].default
        if original[name].kind is inspect.Parameter.KEYWORD_ONLY:
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
    # Whatever is given by position means the same to both.
    positional = [n for n, p in mine.items() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert positional == list(original)[: len(positional)]


@pytest.mark.parametrize(("ours", "theirs"), BOTH)
def test_trains_a_model_as_torch_does(ours, theirs):
    def train(make, **options):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        optimizer = make(model.named_parameters(), lr=0.01, **options)
        x = torch.randn(32, 4)
        for _ in range(100):
            optimizer.zero_grad()
            (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
            optimizer.step()
        return list(model.parameters()), optimizer.param_groups[0]["param_names"]

    (mine, names), (expected, expected_names) = train(ours), train(theirs, foreach=False)
    assert names == expected_names
    assert all(torch.equal(p, q) for p, q in zip(mine, expected, strict=True))


# --- State moves ------------------------------------------------------------------------------------


def test_state_moves_to_torch_mid_run(case, params, clone_params, run, assert_same):
    if len(case.ours.counters) > 1:  # torch rounds all counters but "step" to the parameter's type when it loads them
        params = [p.detach().float().requires_grad_() for p in params]
    ours = case.make(params)
    run(ours, steps=range(60))
    copies = clone_params(params)
    theirs = case.make_oracle(copies, lr=9.0)
    theirs.load_state_dict(copy.deepcopy(ours.state_dict()))
    run(ours, theirs, steps=range(60, 120))
    assert_same(ours, theirs)


def test_state_moves_from_torch_mid_run(case, params, clone_params, run, assert_same):
    theirs = case.make_oracle(params)
    run(theirs, steps=range(60))
    copies = clone_params(params)
    ours = case.make(copies, lr=9.0)
    ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    run(ours, theirs, steps=range(60, 120))
    assert_same(ours, theirs)


@pytest.mark.parametrize(
    "carry",
    [copy.deepcopy, lambda optimizer: pickle.loads(pickle.dumps(optimizer))],
    ids=["deepcopy", "pickle"],
)
def test_copy_goes_on_alone(case, params, run, assert_same, carry):
    original = case.make(params)
    run(original, steps=range(50))
    twin = carry(original)
    assert twin.param_groups[0]["params"][0] is not params[0]
    run(original, steps=range(50, 60))
    run(twin, steps=range(50, 60))
    assert_same(original, twin)
    assert twin.defaults.items() >= original.defaults.items()


def test_checkpoint_file_round_trip(case, params, clone_params, run, assert_same):
    original = case.make(params)
    run(original, steps=range(50))
    file = io.BytesIO()
    torch.save(original.state_dict(), file)
    file.seek(0)
    resumed = case.make(clone_params(params), lr=9.0)
    resumed.load_state_dict(torch.load(file))
    run(original, resumed, steps=range(50, 100))
    assert_same(original, resumed)


def test_options_that_only_torch_knows_do_nothing(case, params, clone_params, run, assert_same):
    ours = case.make(params)
    run(ours, steps=range(10))
    saved = copy.deepcopy(ours.state_dict())
    for group in saved["param_groups"]:
        group |= {"foreach": True, "fused": True, "capturable": True, "differentiable": True}
    other = case.make(clone_params(params))
    other.load_state_dict(saved)
    run(ours, other, steps=range(10, 30))
    assert_same(ours, other)


def test_old_state_dict_gets_what_it_lacks(case, params, clone_params, run, assert_same):
    ours = case.make(params)
    run(ours, steps=range(10))
    saved = copy.deepcopy(ours.state_dict())
    for group in saved["param_groups"]:
        del group["maximize"]  # torch < 1.11 had no such option,
    for state in saved["state"].values():
        if "step" in state:
            state["step"] = int(state["step"])  # and counted in plain integers before 1.12
    other = case.make(clone_params(params))
    other.load_state_dict(saved)
    assert all(group["maximize"] is False for group in other.param_groups)
    run(ours, other, steps=range(10, 30))
    assert_same(ours, other)


# --- Steps ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("optimizer", "_"), BOTH)
def test_closure_runs_with_gradients_and_its_loss_is_returned(optimizer, _):
    w = one_weight(3.0, grad=None)
    by_closure = optimizer([w], lr=0.1)

    def closure():
        by_closure.zero_grad()
        loss = w.square()
        loss.backward()
        return loss.item()

    with torch.no_grad():
        assert by_closure.step(closure) == 9.0
    v = one_weight(3.0, grad=6.0)
    by_hand = optimizer([v], lr=0.1)
    assert by_hand.step() is None
    assert torch.equal(w, v)
    assert w.requires_grad


def test_no_gradient_no_update_no_state(case, params, clone_params, run):
    before = clone_params(params)
    optimizer = case.make(params)
    run(optimizer, steps=range(10))
    assert torch.equal(params[2], before[2])  # the one that never has a gradient
    if case.ours is Adagrad:  # torch's makes its state in the constructor
        assert optimizer.state[params[2]]["step"].item() == 0
    else:
        assert params[2] not in optimizer.state
    if "step" in optimizer.state.get(params[0], {}):
        assert optimizer.state[params[0]]["step"].item() == 10
        assert optimizer.state[params[1]]["step"].item() == 7  # without one on steps 2, 5 and 8


def test_step_counter_stays_in_main_memory():
    # On an accelerator, reading t for the formula would wait for the device at every step.
    with torch.device("meta"):
        assert new_step().device.type == "cpu"


def test_state_that_someone_looked_at_is_still_made(case, params, clone_params, run, assert_same):
    copies = clone_params(params)
    ours, theirs = case.make(params), case.make_oracle(copies)
    for p, q in zip(params, copies, strict=True):
        assert ours.state[p].keys() == theirs.state[q].keys()
    run(ours, theirs, steps=range(3))
    for p in list(ours.state):
        if not ours.state[p]:
            del ours.state[p]
    assert_same(ours, theirs)


def test_group_added_mid_run_equals_torch(case, params, clone_params, run, assert_same):
    late, late_copies = clone_params(params), clone_params(params)
    ours, theirs = case.make(params), case.make_oracle(clone_params(params))
    run(ours, theirs, steps=range(30))
    ours.add_param_group({"params": late, "lr": 0.01} | case.first)
    theirs.add_param_group({"params": late_copies, "lr": 0.01} | case.first)
    run(ours, theirs, steps=range(30, 60))
    assert_same(ours, theirs)


def test_lr_may_be_a_tensor(case, params, clone_params, run, assert_same):
    rate = torch.tensor(0.05)
    ours = case.make(params, lr=rate)
    theirs = case.make_oracle(clone_params(params), lr=rate.clone())
    run(ours, theirs, steps=range(20))
    for optimizer in (ours, theirs):
        for group in optimizer.param_groups:
            if torch.is_tensor(group["lr"]):
                group["lr"].mul_(0.5)
    run(ours, theirs, steps=range(20, 40))
    assert_same(ours, theirs)


# --- With the rest of torch -------------------------------------------------------------------------


@pytest.mark.parametrize("tensor_lr", [False, True], ids=["float", "tensor"])
@pytest.mark.parametrize(
    "schedule",
    [
        lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=7, gamma=0.5),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=40),
        lambda o: torch.optim.lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=20),
    ],
    ids=["StepLR", "CosineAnnealingLR", "LinearLR"],
)
def test_schedulers_drive_it_as_they_drive_torchs(
    case,
    params,
    clone_params,
    run,
    assert_same,
    schedule,
    tensor_lr,
):
    def rate():
        return torch.tensor(0.05, dtype=torch.float64) if tensor_lr else 0.05

    ours, theirs = case.make(params, lr=rate()), case.make_oracle(clone_params(params), lr=rate())
    schedulers = schedule(ours), schedule(theirs)
    for step in range(50):
        run(ours, theirs, steps=range(step, step + 1))
        for scheduler in schedulers:
            scheduler.step()
        assert schedulers[0].get_last_lr() == schedulers[1].get_last_lr()
    assert_same(ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [(SGD, torch.optim.SGD, {"momentum": 0.9}), (Adam, torch.optim.Adam, {})],
)
def test_one_cycle_moves_momentum_too(params, clone_params, run, assert_same, ours, theirs, options):
    mine, expected = ours(params, **options), theirs(clone_params(params), foreach=False, **options)
    one_cycle = torch.optim.lr_scheduler.OneCycleLR
    schedulers = [one_cycle(optimizer, max_lr=0.1, total_steps=40) for optimizer in (mine, expected)]
    for step in range(40):
        run(mine, expected, steps=range(step, step + 1))
        for scheduler in schedulers:
            scheduler.step()
    assert_same(mine, expected)


def test_grad_scaler_skips_overflow_as_with_torch(case, params, clone_params, assert_same):
    def train(optimizer, params):
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=3)
        for step in range(12):
            optimizer.zero_grad()
            loss = sum((p.square().sum() for p in params), start=torch.zeros((), dtype=torch.float64))
            factor = torch.inf if step == 5 else 1.0
            scaler.scale(loss * factor).backward()
            scaler.step(optimizer)
            scaler.update()
        return optimizer, scaler.get_scale()

    copies = clone_params(params)
    ours, scale = train(case.make(params), params)
    theirs, expected_scale = train(case.make_oracle(copies), copies)
    assert scale == expected_scale
    assert_same(ours, theirs)


@pytest.mark.parametrize(("optimizer", "_"), BOTH)
def test_hooks_run_around_the_step(optimizer, _):
    w, calls = one_weight(), []
    hooked = optimizer([w], lr=0.1)
    hooked.register_step_pre_hook(lambda *_: calls.append(("before", w.item())))
    hooked.register_step_post_hook(lambda *_: calls.append(("after", w.item())))
    hooked.step()
    assert [name for name, _ in calls] == ["before", "after"]
    assert calls[0][1] == 1.0
    assert calls[1][1] == w.item() < 1.0


def count_graphs():
    """A backend for torch.compile that runs what it is given as it stands, and the list of what it was given."""
    graphs = []

    def backend(graph, _inputs):
        graphs.append(graph)
        return graph.forward

    return graphs, backend


def test_compiled_step_is_one_graph_and_the_same_rule(case, params, clone_params, run):
    # The updates of both groups are one graph, and neither a new step nor a new lr makes another.
    compiled, plain = case.make(params), case.make(clone_params(params))
    graphs, backend = count_graphs()
    compiled.compile(backend=backend)
    for step in range(1, 12, 3):  # steps at which the second parameter has a gradient
        for optimizer in (compiled, plain):
            optimizer.param_groups[0]["lr"] *= 0.9
        run(compiled, plain, steps=range(step, step + 1))
    assert len(graphs) == 1
    for p, q in zip(params, plain_params(plain), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)
        assert compiled.state.get(p, {}).keys() == plain.state.get(q, {}).keys()


def plain_params(optimizer):
    return [p for group in optimizer.param_groups for p in group["params"]]


def test_what_is_compiled_is_the_rule(case, params, clone_params, run, assert_same, monkeypatch):
    # The function handed to the compiler, run by Python instead: not a bit differs.
    monkeypatch.setattr("torch.compile", lambda function, **_: function)
    ours, plain = case.make(params), case.make(clone_params(params))
    ours.compile()
    run(ours, plain, steps=range(40))
    assert_same(ours, plain)


def test_options_that_change_every_step_end_compilation(params, clone_params, run):
    # OneCycleLR moves the betas, too. Eight programs are enough; from then on the step runs as it is written.
    ours, plain = Adam(params, lr=0.05), Adam(clone_params(params), lr=0.05)
    graphs, backend = count_graphs()
    ours.compile(backend=backend)
    schedulers = [torch.optim.lr_scheduler.OneCycleLR(o, max_lr=0.1, total_steps=40) for o in (ours, plain)]
    with pytest.warns(UserWarning, match="Adam goes on uncompiled: .* cycle_momentum=False"):
        for step in range(15):
            run(ours, plain, steps=range(3 * step + 1, 3 * step + 2))
            for scheduler in schedulers:
                scheduler.step()
    assert len(graphs) == 8
    for p, q in zip(params, plain_params(plain), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-10)


def test_schedules_of_the_rate_alone_keep_the_program(params, clone_params, run):
    ours, plain = SGD(params, lr=0.05, momentum=0.9), SGD(clone_params(params), lr=0.05, momentum=0.9)
    graphs, backend = count_graphs()
    ours.compile(backend=backend)
    one_cycle = torch.optim.lr_scheduler.OneCycleLR
    schedulers = [one_cycle(o, max_lr=0.1, total_steps=40, cycle_momentum=False) for o in (ours, plain)]
    for step in range(30):
        run(ours, plain, steps=range(3 * step + 1, 3 * step + 2))
        for scheduler in schedulers:
            scheduler.step()
    assert len(graphs) == 1
    for p, q in zip(params, plain_params(plain), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-10)


def test_a_compiled_step_keeps_state_that_appears_late(params, clone_params, run):
    # With momentum switched on in mid-run, the compiled update itself makes the buffers.
    ours, plain = SGD(params, lr=0.05), SGD(clone_params(params), lr=0.05)
    ours.compile(backend="eager")
    for step in range(1, 20, 3):
        if step == 10:
            ours.param_groups[0]["momentum"] = plain.param_groups[0]["momentum"] = 0.9
        run(ours, plain, steps=range(step, step + 1))
    for p, q in zip(params, plain_params(plain), strict=True):
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


def test_bfloat16_weights_resume_bit_for_bit(clone_params, params, run, assert_same):
    # torch would round the counter mu_product to bfloat16 on loading.
    params = [p.detach().bfloat16().requires_grad_() for p in params]
    original = NAdam(params, lr=0.01)
    run(original, steps=range(20))
    resumed = NAdam(clone_params(params), lr=0.01)
    resumed.load_state_dict(copy.deepcopy(original.state_dict()))
    run(original, resumed, steps=range(20, 40))
    assert_same(original, resumed)


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


# --- Lists ------------------------------------------------------------------------------------------


def test_lists_and_single_parameters_agree(case, params, clone_params, run, assert_same, monkeypatch):
    listed, single = case.make(params), case.make(clone_params(params))
    for step in range(60):
        with monkeypatch.context() as patch:
            run(listed, steps=range(step, step + 1))
            patch.setattr("trainloop.optim._base.SMALL", -1)
            run(single, steps=range(step, step + 1))
    assert_same(listed, single)


def test_a_list_refuses_what_its_tensors_differ_in():
    pair = TensorList([torch.ones(2), torch.zeros(3)])
    for attribute in ("shape", "item", "dtype", "numel"):
        with pytest.raises(AttributeError, match=f"a TensorList has no {attribute}"):
            getattr(pair, attribute)
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(pair)


def test_a_list_takes_methods_and_functions_with_and_without_a_list_version():
    one, two = torch.tensor([1.0, -4.0]), torch.tensor([[9.0]])
    pair = TensorList([one.clone(), two.clone()])
    assert [t.tolist() for t in pair.abs().sqrt().tensors] == [[1.0, 2.0], [[3.0]]]
    assert [t.tolist() for t in torch.where(pair.gt(0), pair, 0.0).tensors] == [[1.0, 0.0], [[9.0]]]
    assert [t.tolist() for t in (-pair).tensors] == [[-1.0, 4.0], [[-9.0]]]
    kept = pair.clamp_(max=2.0)
    assert kept is pair
    assert [t.tolist() for t in pair.tensors] == [[1.0, -4.0], [[2.0]]]
    torch.maximum(pair, TensorList([torch.zeros(2), torch.ones(1, 1)]), out=pair)
    assert [t.tolist() for t in pair.tensors] == [[1.0, 0.0], [[2.0]]]


# --- Refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [RMSprop, Adam])
def test_sparse_gradient_is_refused(optimizer):
    table = torch.nn.Embedding(5, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    before = table.weight.detach().clone()
    message = rf"{optimizer.__name__} needs dense gradients, .* shape \(5, 2\): give that parameter to SGD"
    with pytest.raises(RuntimeError, match=message):
        optimizer(table.parameters()).step()
    assert torch.equal(table.weight, before)


@pytest.mark.parametrize(("optimizer", "_"), BOTH)
def test_complex_parameter_is_refused(optimizer, _):
    w = torch.zeros(2, dtype=torch.complex64, requires_grad=True)
    message = rf"{optimizer.__name__} takes real parameters, got torch.complex64: .*view_as_complex"
    with pytest.raises(TypeError, match=message):
        optimizer([w])
    kept = optimizer([one_weight()])
    with pytest.raises(TypeError, match=message):
        kept.add_param_group({"params": [w]})
    assert len(kept.param_groups) == 1


@pytest.mark.parametrize(("optimizer", "_"), BOTH)
def test_bad_group_is_refused_and_not_added(optimizer, _):
    kept = optimizer([one_weight()], lr=0.1)
    with pytest.raises(ValueError, match=r"^lr must be >= 0, got -1$"):
        kept.add_param_group({"params": [one_weight()], "lr": -1})
    assert len(kept.param_groups) == 1


@pytest.mark.parametrize(("optimizer", "_"), BOTH)
@pytest.mark.parametrize(
    ("lr", "message"),
    [
        (torch.tensor(-0.5), r"^lr must be >= 0, got -0.5$"),
        (torch.tensor([0.1, 0.2]), r"^lr must be a number or a 0-dim tensor, got shape \(2,\)$"),
    ],
)
def test_bad_tensor_lr_is_refused(optimizer, _, lr, message):
    with pytest.raises(ValueError, match=message):
        optimizer([one_weight()], lr=lr)


@pytest.mark.parametrize(("optimizer", "_"), BOTH)
def test_no_parameters_are_refused(optimizer, _):
    with pytest.raises(ValueError, match="empty parameter list"):
        optimizer([])


@pytest.mark.parametrize(("optimizer", "_"), BOTH)
def test_a_parameter_given_twice_is_refused(optimizer, _):
    w, v = one_weight(), one_weight()
    with pytest.raises(ValueError, match=r"^params must hold each parameter once, got one twice in a group$"):
        optimizer([w, v, w])
    with pytest.raises(ValueError, match="more than one parameter group"):
        optimizer([{"params": [w, v]}, {"params": [w]}])
    assert len(optimizer(p for p in [w, v]).param_groups[0]["params"]) == 2  # a generator is read once
    assert optimizer([("w", w), ("v", v)]).param_groups[0]["param_names"] == ["w", "v"]


STATES = {
    name: getattr(torch.optim, name) for name in ("SGD", "RMSprop", "Adam", "Adamax", "Adagrad", "Adadelta", "Rprop")
}


@pytest.mark.parametrize("theirs", STATES)
@pytest.mark.parametrize(("optimizer", "_"), BOTH)
def test_state_of_another_rule_is_refused(optimizer, _, theirs):
    if optimizer.__name__ == theirs:
        return  # its own: the tests above
    w, v = one_weight(), one_weight()
    source, target = STATES[theirs]([w], lr=0.3), optimizer([v], lr=0.1)
    source.step()
    if optimizer is RAdam and theirs == "Adam":  # the same options, and the same state
        target.load_state_dict(source.state_dict())
        return
    with pytest.raises(
        ValueError, match=rf"(state_dict must be {optimizer.__name__}'s, got .* without|must be (False|True))"
    ):
        target.load_state_dict(source.state_dict())
    assert target.param_groups[0]["lr"] == 0.1
    assert not any(state.get("step", 0) for state in target.state.values())  # nothing was loaded


@pytest.mark.parametrize("optimizer", [Adam, RMSprop, Adagrad])
def test_state_of_another_shape_is_refused(optimizer):
    def make(shape):
        w = torch.ones(shape, requires_grad=True)
        w.grad = torch.ones(shape)
        return optimizer([w])

    source, target = make((2, 3)), make((3, 2))
    source.step()
    with pytest.raises(ValueError, match=r"must have shape \(3, 2\), the shape of its parameter, got \(2, 3\)$"):
        target.load_state_dict(source.state_dict())
    with pytest.raises(ValueError, match="different number of parameter groups"):
        target.load_state_dict({"state": {}, "param_groups": []})


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(("optimizer", "theirs"), BOTH)
def test_a_gradient_that_is_not_finite_does_what_it_does_in_torch(optimizer, theirs, bad):
    # Nothing is checked or skipped: that is for clipping, a GradScaler or a NonFiniteWatch.
    def train(make, **options):
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        made = make([w], lr=0.1, **options)
        for g in ([0.5, 0.5], [bad, 0.5], [0.5, 0.5]):
            w.grad = torch.tensor(g)
            made.step()
        return w

    w, v = train(optimizer), train(theirs, foreach=False)
    assert torch.equal(w.isnan(), v.isnan())
    assert torch.equal(w.nan_to_num(), v.nan_to_num())
    assert w[1].isfinite()


@pytest.mark.parametrize("method", ["check", "init_state", "update"])
def test_base_class_leaves_the_rule_to_its_subclasses(method):
    arguments = [None] * (len(inspect.signature(getattr(Optimizer, method)).parameters) - 1)
    with pytest.raises(NotImplementedError):
        getattr(Optimizer, method)(None, *arguments)
