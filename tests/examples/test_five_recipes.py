"""What the page on five recipes claims, as comparisons of this build's own numbers; and what the files must do.

If a claim fails here, the sentence on the page must change, not this file.
"""

from __future__ import annotations

import pytest
import torch
from examples_of import ExamplesOf
from torch import nn

EXAMPLES = ExamplesOf("five-recipes")
results, script = EXAMPLES.results, EXAMPLES.script


# --- the claims --------------------------------------------------------------------------------------


def test_resnet_needs_its_rate_and_not_its_warmup():
    found = results("resnet")
    assert found["seeds"] >= 5
    assert found["least"] > 0.96
    assert not found["changes"]["no_warmup"]["separable"]
    assert found["changes"]["scaled"]["separable"] and found["changes"]["scaled"]["gap"] < -0.05


def test_bert_learns_and_its_warmup_is_not_separable():
    found = results("bert")
    assert found["accuracy"] > found["most_frequent"] + 0.05
    assert not found["no_warmup"]["separable"]
    assert found["loss"]["recipe"][-1] < found["loss"]["recipe"][0] - 1
    assert found["lr"].index(max(found["lr"])) == found["steps"] // 10


def test_pretraining_is_worth_something_and_the_rest_is_not_separable():
    found = results("fine_tune")
    assert found["seeds"] >= 5
    changes = found["changes"]
    assert changes["scratch"]["separable"] and changes["scratch"]["gap"] < 0
    assert not changes["one_rate"]["separable"]
    assert not changes["no_warmup"]["separable"]
    rates = script("fine_tune").RATES
    assert all(rates[0] < row["lr"] < rates[-1] for row in found["rows"])  # no best rate at an edge
    assert found["lr"]["head"] == pytest.approx([10 * lr for lr in found["lr"]["body"]])


def test_dcgan_wants_a_short_memory():
    found = results("dcgan")
    assert found["seeds"] >= 5
    assert found["beta"]["separable"] and found["beta"]["gap"] > 10
    assert found["real_distance"] < found["distance"]["0.5"] < found["distance"]["0.9"] < found["noise_distance"]


def test_vit_trains_without_warmup_and_clipping_too():
    found, resnet = results("vit"), results("resnet")
    assert found["seeds"] >= 5
    assert found["least"] > 0.9
    assert found["clipped"] > 0.5
    assert not any(change["separable"] for change in found["changes"].values())
    assert resnet["least"] > found["most"]
    assert resnet["parameters"] < 0.4 * found["parameters"]


# --- the files ---------------------------------------------------------------------------------------


def test_residual_blocks_begin_as_their_shortcut():
    module = script("resnet")
    torch.manual_seed(0)
    block = module.Residual(3, 6, stride=2)
    x = torch.randn(4, 3, 8, 8)
    assert torch.equal(block(x), torch.relu(block.short(x)))
    assert module.SmallResNet()(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize(("name", "model"), [("resnet", "SmallResNet"), ("vit", "SmallViT")])
def test_norms_and_biases_do_not_decay(name, model):
    module = script(name)
    net = getattr(module, model)()
    names = {id(p): n for n, p in net.named_parameters()}
    skipped = ("position", "class_token") if name == "vit" else ()
    decay, rest = module.weight_decay_groups(net, module.WEIGHT_DECAY, no_decay_names=skipped)
    assert decay["weight_decay"] == module.WEIGHT_DECAY and rest["weight_decay"] == 0
    assert all(p.ndim > 1 for p in decay["params"])
    assert not {"position", "class_token"} & {names[id(p)] for p in decay["params"]}


def test_masking_hides_as_the_paper_says():
    module = script("bert")
    generator = torch.Generator().manual_seed(0)
    text, vocabulary = torch.randint(50, (5000,), generator=generator), 50
    shown, hidden = module.masked(text, 2000, vocabulary, generator)
    asked = hidden >= 0
    assert asked.float().mean().item() == pytest.approx(0.15, abs=0.01)
    assert torch.equal(shown[~asked], shown[~asked].clamp(max=vocabulary - 1))  # no mask where nothing is asked
    masks = (shown == vocabulary)[asked].float().mean().item()
    kept = (shown == hidden)[asked].float().mean().item()
    assert masks == pytest.approx(0.8, abs=0.01)
    assert kept == pytest.approx(0.1 + 0.1 / vocabulary, abs=0.01)  # a random one may be the right one
    assert module.count(shown, hidden) == asked.sum()


def test_loss_and_accuracy_look_at_hidden_characters_alone():
    module = script("bert")
    logits = torch.zeros(1, 3, 4)
    logits[0, 1, 2] = 9.0
    hidden = torch.tensor([[-1, 2, 0]])
    assert module.accuracy(logits, hidden).item() == 1.0  # ties go to the first class
    expected = nn.functional.cross_entropy(logits[0, 1:], hidden[0, 1:])
    torch.testing.assert_close(module.loss_fn(logits, hidden), expected)


def test_a_gan_step_keeps_the_two_apart():
    module = script("dcgan")
    torch.manual_seed(0)
    G, D = module.generator(), module.discriminator()
    assert G(torch.randn(3, module.LATENT, 1, 1)).shape == (3, 1, 8, 8)
    seen = []

    class Recorder(torch.optim.SGD):
        """Notes, at its step, which generator gradients there are."""

        def step(self, closure=None):
            seen.append([p.grad is not None for p in G.parameters()])
            return super().step(closure)

    optimizers = [Recorder(net.parameters(), lr=0.1) for net in (G, D)]
    before = [p.clone() for net in (G, D) for p in net.parameters()]
    module.step(G, D, *optimizers, torch.rand(8, 1, 8, 8))
    assert not any(seen[0])  # the discriminator's step: nothing has reached the generator
    assert all(seen[1])
    after = [p for net in (G, D) for p in net.parameters()]
    assert all(not torch.equal(p, q) for p, q in zip(before, after, strict=True))


def test_frechet_distance_of_bells_is_known():
    module = script("dcgan")
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(20000, 3, generator=generator)
    assert module.frechet(a, a) == pytest.approx(0, abs=1e-4)
    moved = module.frechet(a, a + torch.tensor([3.0, 0.0, 4.0]))
    assert moved == pytest.approx(25, rel=1e-3)
    # N(0, 1) against N(0, 4) in three dimensions: 3 · (1 + 4 − 2 · 2) = 3
    b = 2 * torch.randn(20000, 3, generator=generator)
    assert module.frechet(a, b) == pytest.approx(3, rel=0.05)


def test_fine_tuning_parts_do_not_overlap():
    x, y, (x_val, _), (x_test, _) = script("fine_tune").few(3)
    assert len(x) == 100 and y.bincount().tolist() == [10] * 10
    rows = torch.cat([x, x_val, x_test]).flatten(1)
    assert len(rows) == 1797
    assert len(rows.unique(dim=0)) == 1797  # no image in two parts
