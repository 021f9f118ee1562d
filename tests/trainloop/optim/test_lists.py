"""TensorList: the methods and functions of a tensor, applied to many."""

import pytest
import torch

from trainloop.optim._lists import NumberList, TensorList, at_least, rms


def test_a_list_refuses_what_its_tensors_differ_in():
    pair = TensorList([torch.ones(2), torch.zeros(3)])
    for attribute in ("shape", "item", "numel", "device"):
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


def test_a_list_has_one_type_and_many_sizes():
    pair = TensorList([torch.ones(2, 3, dtype=torch.float64), torch.ones(5, 1, dtype=torch.float64)])
    assert pair.dtype == torch.float64
    assert pair.size(-1).numbers == [3, 1]


@pytest.mark.parametrize("device", ["cpu", pytest.param("meta", id="elsewhere")])
def test_numbers_pair_up_with_tensors(device):
    pair = TensorList([torch.full((2,), 6.0, device=device), torch.full((1,), 6.0, device=device)])
    divided = pair.div(NumberList([3, 4]))
    moved = pair.add(pair, alpha=NumberList([-0.5, 2.0]))
    assert [t.shape for t in divided.tensors] == [t.shape for t in moved.tensors] == [(2,), (1,)]
    if device == "cpu":
        assert [t.tolist() for t in divided.tensors] == [[2.0, 2.0], [1.5]]
        assert [t.tolist() for t in moved.tensors] == [[3.0, 3.0], [18.0]]


def test_arithmetic_of_numbers():
    two = NumberList([3.0, 8.0])
    assert (-two).numbers == [-3.0, -8.0]
    assert (two * 0.5).numbers == [1.5, 4.0]
    assert (two / NumberList([2.0, 4.0])).numbers == [1.5, 2.0]
    assert at_least(5.0, two).numbers == [5.0, 8.0]
    assert at_least(5.0, 4.0) == 5.0


def test_root_mean_square_of_one_and_of_many():
    one, two, none = torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([-6.0]), torch.zeros(0, 2)
    assert [rms(one), rms(two), rms(none)] == [2.5, 6.0, 0.0]
    assert rms(TensorList([one, two, none]), unit=2.0).numbers == [1.25, 3.0, 0.0]
