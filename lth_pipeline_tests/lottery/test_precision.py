"""The precision of a computation is set, holds inside and leaves nothing behind."""

import pytest
import torch

from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.training.precision import PRECISIONS, computing, forward_context

CPU = torch.device("cpu")


def settings() -> tuple:
    backends = torch.backends
    return (
        backends.cuda.matmul.fp32_precision,
        backends.cudnn.conv.fp32_precision,
        backends.cudnn.deterministic,
        backends.cudnn.benchmark,
    )


@pytest.mark.parametrize(("precision", "rounded"), [("float32", "ieee"), ("tf32", "tf32"), ("bfloat16", "ieee")])
def test_the_settings_hold_inside_and_are_restored(precision, rounded):
    before = settings()
    with computing(precision, CPU):
        assert settings() == (rounded, rounded, True, False)
    assert settings() == before


def test_they_are_restored_after_an_error_and_from_whatever_they_were():
    before = settings()
    torch.backends.cudnn.conv.fp32_precision, torch.backends.cudnn.benchmark = "ieee", True
    try:
        with pytest.raises(KeyError), computing("tf32", CPU):
            raise KeyError
        assert settings() == (before[0], "ieee", before[2], True)
    finally:
        torch.backends.cudnn.conv.fp32_precision, torch.backends.cudnn.benchmark = before[1], before[3]


def test_one_inside_another():
    with computing("tf32", CPU):
        outer = settings()
        with computing("float32", CPU):
            assert settings() != outer
        assert settings() == outer


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_forward_pass_has_its_type(precision):
    a, b = torch.randn(2, 5, 5, generator=generator(0)).unbind()
    with forward_context(precision, CPU):
        product = a @ b
    assert product.dtype == (torch.bfloat16 if precision == "bfloat16" else torch.float32)
    assert torch.equal(product.float(), a @ b) == (precision != "bfloat16")
    assert (a @ b).dtype == torch.float32


def test_a_pass_sees_weights_that_have_moved_since_the_last():
    """Autocast keeps its casts of leaves that need gradients, unless it is told not to."""
    weights, images = torch.ones(2, 2, requires_grad=True), torch.ones(2, 2)
    with forward_context("bfloat16", CPU):
        first = images @ weights
        with torch.no_grad():
            weights.mul_(2)
        assert torch.equal(images @ weights, 2 * first)


@pytest.mark.parametrize("within", [computing, forward_context])
def test_an_unknown_precision_is_refused_by_name(within):
    with pytest.raises(ValueError, match=r"'float16'.*float32, tf32, bfloat16"), within("float16", CPU):
        pass


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_float32_has_all_its_bits_on_a_gpu():
    a, b = torch.randn(2, 1, 64, 64, 64, generator=generator(0)).cuda().unbind()
    exact = a.double() @ b.double()

    def error(precision):
        with computing(precision, a.device):
            return float((a @ b - exact).abs().max())

    assert error("float32") < 1e-4
    if torch.cuda.get_device_capability()[0] >= 8:
        assert error("tf32") > 1e-3
