"""TensorList: the methods and functions of a tensor, applied to many."""

import pytest
import torch

from trainloop.optim._lists import TensorList


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
