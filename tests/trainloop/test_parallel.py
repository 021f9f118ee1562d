"""What a loop asks about DDP and FSDP2, with one process as the whole group; two are in test_distributed.py."""

from collections import Counter, OrderedDict

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from trainloop import parallel
from trainloop.averaging import EMA
from trainloop.checkpoint import Checkpoints
from trainloop.fit import fit
from trainloop.optim import Adam
from trainloop.sampler import ShuffledBatches

mse = nn.functional.mse_loss
X = torch.linspace(-1, 1, 10, dtype=torch.float64).unsqueeze(1)
Y = 2 * X + 3
BATCHES = [(X[:4], Y[:4]), (X[4:8], Y[4:8]), (X[8:], Y[8:])]


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(1, 4), nn.Dropout(0.2), nn.Linear(4, 1)).double()


@pytest.fixture(scope="module")
def group():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.fixture(params=["ddp", "fsdp2", "compiled ddp"])
def wrap(request, group):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    def shard(model):
        mesh = init_device_mesh("cpu", (1,))
        fully_shard(model[0], mesh=mesh)
        return fully_shard(model, mesh=mesh)

    return {
        "ddp": DistributedDataParallel,
        "fsdp2": shard,
        "compiled ddp": lambda model: torch.compile(DistributedDataParallel(model), backend="eager"),
    }[request.param]


def test_a_group_of_one_trains_as_a_plain_model_bit_for_bit(wrap, tmp_path):
    def train(model, epochs, folder):
        optimizer, ema = Adam(model.parameters(), lr=0.05), EMA(0.5)
        torch.manual_seed(1)
        history = fit(
            model, mse, optimizer, BATCHES, epochs,
            accumulate=2, clip_norm=0.5, average=ema, validation=BATCHES,
            checkpoints=Checkpoints(folder),
        )  # fmt: skip
        return [parallel.whole(p) for p in parallel.unwrap(model).parameters()], history

    weights, history = train(make_model(), 4, tmp_path / "plain")
    train(wrap(make_model()), 2, tmp_path / "wrapped")
    others, other = train(wrap(make_model()), 4, tmp_path / "wrapped")  # resumed
    assert other.loss == history.loss
    assert other.validation == history.validation
    assert other.grad_norm == history.grad_norm
    assert all(torch.equal(a, b) for a, b in zip(weights, others, strict=True))


def test_who_is_there(wrap):
    model = wrap(make_model())
    assert (parallel.ranks(model), parallel.rank(model)) == (1, 0)
    assert parallel.gather(model, [1.0, 2.0]) == [[1.0, 2.0]]
    assert parallel.gather_objects(model, {"a": 1}) == [{"a": 1}]
    x = torch.tensor([3.0])
    assert parallel.sum_over_ranks(model, x).tolist() == [3.0]
    assert list(dict(parallel.unwrap(model).named_parameters())) == list(dict(make_model().named_parameters()))


def test_a_plain_model_needs_no_group():
    model = make_model()
    assert parallel.unwrap(model) is model
    assert (parallel.ranks(model), parallel.rank(model)) == (1, 0)
    x = torch.ones(2)
    assert parallel.sum_over_ranks(model, x) is x
    assert parallel.gather(model, [1.0]) == [[1.0]]
    assert parallel.gather_objects(model, "mine") == ["mine"]


def test_the_sampler_asks_the_group(group):
    assert ShuffledBatches(10, 4).options()["world_size"] == 1


def test_device():
    assert parallel.device_of(nn.Linear(1, 1, device="meta")).type == "meta"
    assert parallel.device_of(nn.BatchNorm1d(1, affine=False, device="meta")).type == "meta"
    assert parallel.device_of(nn.ReLU()).type == "cpu"


def test_tensors_are_mapped_wherever_they_are():
    tree = {"a": [torch.ones(1), (torch.ones(1), 3)], "b": OrderedDict(c=torch.ones(1)), "d": Counter({5: 2})}
    assert parallel.map_tensors(tree, lambda x: 2 * x) == {"a": [2.0, (2.0, 3)], "b": {"c": 2.0}, "d": Counter({5: 2})}


def test_lockstep_on_one_process_passes_items_on():
    items = [["a", "b"], ["c"]]
    got = list(parallel.lockstep(make_model(), items, lambda item: (len(item), 10 * len(item))))
    assert got == [(["a", "b"], 20), (["c"], 10)]


def test_lockstep_finds_a_rank_that_has_ended(monkeypatch):
    monkeypatch.setattr(parallel, "gather", lambda model, row: [list(row), [2, 5]])
    pairs = parallel.lockstep(make_model(), [["a", "b"]], lambda item: (len(item), 7))
    assert next(pairs) == (["a", "b"], 12)
    message = r"batches must be as many on every rank, got \[0, 2\] next, in the order of the ranks"
    with pytest.raises(ValueError, match=message):
        next(pairs)


def test_only_rank_0_gets_the_tensors(monkeypatch):
    model, x = make_model(), torch.ones(3)
    assert parallel.gather_tensors(model, {"x": x})["x"].data_ptr() == x.data_ptr()
    monkeypatch.setattr(parallel, "rank", lambda model: 1)
    assert parallel.gather_tensors(model, {"x": x})["x"].numel() == 0
