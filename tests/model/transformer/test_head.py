import torch
from torch import nn

from scratchlm.model.transformer.head import LinearHead, SoftcappedHead


def test_logits_are_products_with_the_rows():
    """A shift that no published head has, or a matrix that is transposed."""
    torch.manual_seed(0)
    head, x = LinearHead(8, 11), torch.randn(2, 3, 8)
    assert [name for name, _ in head.named_parameters()] == ["weight"]
    expected = torch.stack([x @ row for row in head.weight], -1)
    torch.testing.assert_close(head(x), expected)


def test_a_softcapped_head_has_bounds():
    """A cap that is applied to what the head reads."""
    torch.manual_seed(0)
    plain, x = nn.Linear(8, 11, bias=False), torch.randn(1, 50, 8) * 100
    head = SoftcappedHead(8, 11, cap=3.0)
    head.load_state_dict(plain.state_dict())
    assert plain(x).abs().max() > 20
    assert head(x).abs().max() <= 3
    small = x / 1e4
    torch.testing.assert_close(head(small), plain(small), rtol=1e-3, atol=0)
