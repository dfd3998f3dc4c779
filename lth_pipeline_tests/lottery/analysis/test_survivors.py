"""The vector of surviving parameters, and the fixed sample of images."""

from dataclasses import replace

import torch

from lth_pipeline.lottery.analysis.sample import loss_on, sample
from lth_pipeline.lottery.analysis.survivors import gathered, places, spread
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.training.evaluation import evaluate
from lth_pipeline_tests.lottery.networks import lively, network
from lth_pipeline_tests.lottery.small import DATA, MODEL, WEIGHTS, half_mask


def test_a_vector_holds_what_survives_and_goes_back_to_where_it_was():
    mask = half_mask()
    pruned = masks.apply(mask, WEIGHTS)
    where = places(MODEL, pruned, mask)
    biases = sum(tensor.numel() for name, tensor in WEIGHTS.items() if name not in mask)
    assert where.size == sum(masks.counts(mask).values()) + biases
    back = spread(where, gathered(where, pruned))
    assert back.keys() == pruned.keys() and all(torch.equal(back[name], pruned[name]) for name in back)


def test_without_a_mask_all_that_is_learned_counts_and_running_statistics_do_not():
    model = network("resnet_cifar")
    where = places(model, lively(model), None)
    assert where.size == model.parameters
    assert not model.buffers & set(where.shapes)


def test_a_sample_is_the_same_every_time_and_another_by_another_seed():
    one, again, other = (sample(DATA.train, 10, seed) for seed in (1, 1, 2))
    assert torch.equal(one.images, again.images) and torch.equal(one.labels, again.labels)
    assert not torch.equal(one.images, other.images)
    rows = [(DATA.train.images == image).flatten(1).all(1).nonzero().item() for image in one.images]
    assert sorted(set(rows)) == rows and torch.equal(DATA.train.labels[rows], one.labels)


def test_a_sample_of_a_streamed_part_has_the_images_of_its_rows():
    rows = torch.arange(39, -1, -1)
    streamed = replace(DATA.train, images=DATA.train.images[rows], rows=rows, streamed=True)
    assert torch.equal(sample(streamed, 7, 3).images, sample(DATA.train, 7, 3).images)


def test_of_a_part_that_has_no_more_a_sample_is_all_of_it():
    every = sample(DATA.test, 1000, 0)
    assert torch.equal(every.images, DATA.test.images)
    assert loss_on(MODEL, every)(WEIGHTS) == evaluate(MODEL, WEIGHTS, DATA.test)[0]
