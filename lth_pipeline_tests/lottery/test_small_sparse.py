"""Weights stored without their zeros, and computed with."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.small import sparse
from lth_pipeline.lottery.small.compact import Small, compact
from lth_pipeline.lottery.small.network import Network, Op, Program, joined
from lth_pipeline.lottery.small.semi_structured import has_kernels, semi_structured, two_four
from lth_pipeline.lottery.small.sparse import BLOCKS, Storage, choose, parts, sparse_tensors, values_stored
from lth_pipeline_tests.lottery.networks import images, lively, network


def drawn(shape, density: float, block: int = 1, seed: int = 0) -> torch.Tensor:
    """Weights of which a share is left, square by square."""
    draws = generator(seed)
    kept = torch.rand(shape[0] // block, shape[1] // block, generator=draws) < density
    kept = kept.repeat_interleave(block, 0).repeat_interleave(block, 1)
    return torch.randn(shape, generator=draws) * kept.view(*shape[:2], *[1] * (len(shape) - 2))


def linear(weight: torch.Tensor) -> Small:
    """A network of one fully connected layer that reads images of one row."""
    tensors = {"fc.weight": weight, "fc.bias": torch.randn(len(weight), generator=generator(9))}
    ops = (Op("flatten", ("image",), "flat"), Op("linear", ("flat",), "v", {"weight": "fc.weight", "bias": "fc.bias"}))
    return Small(Program((1, 1, weight.shape[1]), ops), tensors)


def stored_and_joined(weight: torch.Tensor, storage: Storage) -> torch.Tensor:
    held = {f"w/{part}": values for part, values in parts(weight, storage).items()}
    found = joined(held, {"w": {"shape": list(weight.shape), "dense": True}})["w"]
    as_sparse = joined(held, {"w": {"shape": list(weight.shape), "dense": False}})["w"]
    assert as_sparse.layout == (torch.sparse_bsr if storage.block else torch.sparse_csr)
    assert torch.equal(as_sparse.to_dense().view_as(found), found)
    return found


@given(
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.sampled_from([0, *BLOCKS]),
    st.floats(0, 1),
    st.sampled_from([(), (3, 3)]),
    st.integers(0, 1000),
)
def test_what_is_stored_is_the_weight_to_the_bit(blocks, block, density, kernel, seed):
    shape = tuple(8 * side for side in blocks) + kernel
    weight = drawn(shape, density, seed=seed)
    assert torch.equal(stored_and_joined(weight, Storage("bsr" if block else "csr", block, 0, True)), weight)


@given(st.integers(1, 4), st.integers(1, 3000), st.integers(0, 40), st.integers(0, 1000))
def test_columns_that_stand_far_apart_are_found_again(rows, columns, kept, seed):
    """A byte says up to 255 zeros; further apart there are zeros among the values, or two bytes a column."""
    weight = torch.zeros(rows, columns)
    places = torch.randint(rows * columns, (kept,), generator=generator(seed))
    weight.view(-1)[places] = 1.0 + torch.arange(kept)
    assert torch.equal(stored_and_joined(weight, Storage("csr", 0, 0, True)), weight)


def test_integers_are_as_small_as_they_can_be():
    thin, wide = torch.zeros(2, 2000), torch.zeros(2, 2000)
    thin[0, ::250] = 1.0
    wide[0, 0] = wide[0, 1999] = 1.0
    assert parts(thin, Storage("csr", 0, 0, True))["columns"].dtype == torch.uint8
    assert parts(wide, Storage("csr", 0, 0, True))["columns"].dtype == torch.int16  # 7 zeros would take more
    assert parts(torch.ones(1, 300), Storage("csr", 0, 0, True))["rows"].dtype == torch.int16


def test_the_smallest_form_is_chosen():
    forms = {
        "dense": drawn((64, 64), 1.0),
        "csr": drawn((64, 64), 0.1),
        "bsr": drawn((64, 64), 0.1, block=4),
    }
    for form, weight in forms.items():
        found = choose(linear(weight))["fc.weight"]
        assert (found.form, found.block) == (form, 4 if form == "bsr" else 0)
        held = [weight] if form == "dense" else parts(weight, found).values()
        assert found.bytes == sum(tensor.nbytes for tensor in held) <= weight.nbytes


def test_what_is_computed_sparse_is_large_and_thin():
    """As it was measured: see the head of `sparse.py`."""
    quick = {
        name: not choose(linear(weight))["fc.weight"].dense
        for name, weight in (
            ("thin", drawn((300, 784), 0.05)),
            ("half", drawn((300, 784), 0.5)),
            ("output", drawn((10, 100), 0.05)),
        )
    }
    assert quick == {"thin": True, "half": False, "output": False}


@pytest.mark.parametrize("block", (1, 4))
@pytest.mark.parametrize("batch", (1, 2, 64))
def test_a_sparse_layer_gives_what_the_dense_one_gives(block, batch):
    small = linear(drawn((128, 512), 0.05, block))
    tensors = sparse_tensors(small)
    assert tensors["fc.weight"].layout == (torch.sparse_csr if block == 1 else torch.sparse_bsr)
    given = torch.rand(batch, 1, 1, 512, generator=generator(3))
    dense, thin = (Network(small.program, each)(given) for each in (small.tensors, tensors))
    assert (dense - thin).abs().max() <= 1e-5 * dense.abs().max()


@pytest.mark.parametrize("name", ("mlp", "conv2", "resnet_cifar"))
def test_a_sparse_network_gives_what_the_small_one_gives(monkeypatch, name):
    monkeypatch.setattr(sparse, "_quicker", lambda *_: True)
    model = network(name, (1, 12, 12))
    weights = lively(model, torch.float32)
    mask = {layer.weight: torch.rand(layer.shape, generator=generator(4)) < 0.1 for layer in model.layers}
    small = compact(model, (1, 12, 12), weights, mask)
    tensors = sparse_tensors(small)
    assert sum(tensor.layout != torch.strided for tensor in tensors.values()) >= 2
    given = images(5, (1, 12, 12), torch.float32)
    dense, thin = (Network(small.program, each).eval()(given) for each in (small.tensors, tensors))
    assert (dense - thin).abs().max() <= 1e-5 * max(1, dense.abs().max())
    kept = sum(int((small.tensors[name] != 0).sum()) for name in choose(small))
    assert kept <= values_stored(small) <= small.weights


def test_parts_that_do_not_fit_together_are_refused():
    weight = drawn((8, 20), 0.5)
    held = {f"w/{part}": values for part, values in parts(weight, Storage("csr", 0, 0, True)).items()}
    how = {"w": {"shape": [8, 20], "dense": True}}
    for part, spoilt in (("columns", held["w/columns"] + 20), ("rows", held["w/rows"] + 1), ("values", torch.ones(1))):
        with pytest.raises((RuntimeError, IndexError)):
            joined(held | {f"w/{part}": spoilt}, how)


def test_two_of_four():
    weight = torch.ones(4, 8)
    assert not two_four(weight)
    weight[:, 1::2] = 0
    assert two_four(weight) and two_four(torch.zeros(4, 8)) and not two_four(torch.zeros(4, 6))
    weight[3, 5] = 1.0
    assert not two_four(weight)


@pytest.mark.gpu
@pytest.mark.skipif(
    not torch.cuda.is_available() or not has_kernels(torch.device("cuda")), reason="needs a GPU that multiplies 2:4"
)
def test_a_gpu_multiplies_two_of_four():
    weight = drawn((128, 256), 1.0)
    weight.unflatten(1, (-1, 4))[:, :, 2:] = 0
    small = linear(weight)
    there = {name: tensor.cuda() for name, tensor in small.tensors.items()}
    tensors, saved = semi_structured(there, small.program)
    assert saved == weight.numel() // 2
    given = torch.rand(64, 1, 1, 256, generator=generator(3)).cuda()
    with torch.inference_mode():
        expected, found = Network(small.program, there)(given), Network(small.program, tensors)(given.half())
    assert (expected - found.float()).abs().max() <= 5e-3 * expected.abs().max()
    assert semi_structured({**there, "fc.weight": torch.ones(128, 256).cuda()}, small.program) is None
