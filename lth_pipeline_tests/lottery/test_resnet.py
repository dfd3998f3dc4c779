"""ResNet-18 and ResNet-50 against torchvision's own."""

import copy

import pytest
import torch

from lth_pipeline.lottery.models.model import Mode
from lth_pipeline_tests.lottery.networks import images, lively, network
from lth_pipeline_tests.torchvision_here import torchvision_here


@pytest.fixture(scope="module", params=["resnet18", "resnet50"])
def pair(request):
    """(ours, its weights, torchvision's with the same weights), float64."""
    with torch.random.fork_rng(devices=[]):
        theirs = getattr(torchvision_here().models, request.param)(weights=None, num_classes=13).double()
    model = network(request.param, (3, 64, 48), classes=13)
    weights = lively(model)
    theirs.load_state_dict(weights)  # strict: torch itself fills in the counters `num_batches_tracked`, and no other
    return model, weights, theirs


def test_tensors_stand_in_torchvisions_order(pair):
    model, weights, theirs = pair
    names = [key for key in theirs.state_dict() if not key.endswith(".num_batches_tracked")]
    assert list(weights) == names
    assert model.parameters == sum(tensor.numel() for tensor in theirs.parameters())
    assert model.layers[-1].name == "fc" and model.layers[-1].is_output and model.layers[-1].kind == "fc"


def test_logits_and_running_statistics_are_torchvisions(pair):
    model, weights, theirs = pair
    theirs, weights = copy.deepcopy(theirs), copy.deepcopy(weights)
    batch = images(4, (3, 64, 48))
    evaluated = model.logits(weights, batch)
    torch.testing.assert_close(evaluated, theirs.eval()(batch))
    torch.testing.assert_close(model.logits(weights, batch, Mode(training=True)), theirs.train()(batch))
    moved = theirs.state_dict()
    for name in model.buffers:
        torch.testing.assert_close(weights[name], moved[name])
    after = model.logits(weights, batch)
    torch.testing.assert_close(after, theirs.eval()(batch))
    assert not torch.allclose(after, evaluated)


def test_torchvisions_weights_give_torchvisions_logits(pair):
    """The other way: a state dict of theirs, with its counters, is taken as it is."""
    model, _, theirs = pair
    with torch.no_grad():
        ours = model.logits(theirs.state_dict(), images(2, (3, 64, 48)))
        torch.testing.assert_close(ours, theirs.eval()(images(2, (3, 64, 48))))
