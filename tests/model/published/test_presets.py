import pytest
import torch

from scratchlm.model.published import presets
from scratchlm.model.transformer.transformer import Transformer

# What the model cards' weight files hold, tied weights counted once.
PUBLISHED = [
    (presets.gpt2, "124M", 124_439_808),
    (presets.gpt2, "355M", 354_823_168),
    (presets.gpt2, "774M", 774_030_080),
    (presets.gpt2, "1558M", 1_557_611_200),
    (presets.llama2, "7B", 6_738_415_616),
    (presets.llama2, "13B", 13_015_864_320),
    (presets.llama2, "70B", 68_976_648_192),
    (presets.llama3, "8B", 8_030_261_248),
    (presets.llama3, "70B", 70_553_706_496),
    (presets.llama3, "405B", 405_853_388_800),
    (presets.llama3_1, "8B", 8_030_261_248),
    (presets.llama3_2, "1B", 1_235_814_400),
    (presets.llama3_2, "3B", 3_212_749_824),
    (presets.mistral, "7B", 7_241_732_096),
    (presets.mixtral, "8x7B", 46_702_792_704),
    (presets.qwen2, "0.5B", 494_032_768),
    (presets.qwen2, "1.5B", 1_543_714_304),
    (presets.qwen2, "7B", 7_615_616_512),
    (presets.qwen2, "72B", 72_706_203_648),
    (presets.qwen3, "0.6B", 596_049_920),
    (presets.qwen3, "1.7B", 1_720_574_976),
    (presets.qwen3, "4B", 4_022_468_096),
    (presets.qwen3, "8B", 8_190_735_360),
    (presets.qwen3, "14B", 14_768_307_200),
    (presets.qwen3, "32B", 32_762_123_264),
    (presets.qwen3_moe, "30B-A3B", 30_532_122_624),
    (presets.qwen3_moe, "235B-A22B", 235_093_634_560),
    (presets.olmo2, "7B", 7_298_617_344),
    (presets.olmo2, "13B", 13_716_198_400),
    (presets.gemma2, "2B", 2_614_341_888),
    (presets.gemma2, "9B", 9_241_705_984),
    (presets.gemma2, "27B", 27_227_128_320),
]

PRESETS = list(dict.fromkeys(preset for preset, _, _ in PUBLISHED))
ROWS = {
    f"{family} {size}": row
    for family, table in vars(presets).items()
    if family.isupper() and isinstance(table, dict)
    for size, row in table.items()
    if isinstance(row, presets.Sizes)
}


def sizes_of(config):
    return config.vocab_size, config.d_model, config.n_layers, config.d_ff


@pytest.mark.parametrize(("preset", "size", "n_parameters"), PUBLISHED)
def test_has_as_many_parameters_as_the_published_model(
    preset, size, n_parameters
):
    """A size, a bias or a norm that the published weights do not have."""
    with torch.device("meta"):
        model = Transformer(preset(size))
    assert sum(p.numel() for p in model.parameters()) == n_parameters


@pytest.mark.parametrize("preset", PRESETS)
def test_an_unknown_size_is_told_the_known_ones(preset):
    """A KeyError that names what the user typed and nothing else."""
    known = {size for p, size, _ in PUBLISHED if p is preset}
    with pytest.raises(ValueError, match="no size '9T'") as error:
        preset("9T")
    assert all(size in str(error.value) for size in known)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_default_size_is_the_smallest(preset):
    """A reader who calls a preset bare and waits for 70B parameters."""
    counts = {s: n for p, s, n in PUBLISHED if p is preset}
    smallest = preset(min(counts, key=counts.__getitem__))
    assert sizes_of(preset()) == sizes_of(smallest)


@pytest.mark.parametrize("d_model", range(64, 1025, 64))
def test_one_dial_sets_the_rest(d_model):
    """A width at which heads or layers do not come out whole."""
    config = presets.tiny(d_model)
    assert config.n_heads * config.d_head == d_model
    assert config.d_ff % 32 == 0
    assert 8 / 3 <= config.d_ff / d_model < 8 / 3 + 0.5


@pytest.mark.parametrize("d_model", [0, -64, 65, 32])
def test_the_dial_has_steps(d_model):
    """A width that fits no head, found only deep inside attention."""
    with pytest.raises(ValueError, match=f"d_model is {d_model}"):
        presets.tiny(d_model)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_heads_and_widths_fit(row):
    """Two columns that were swapped while a table was typed."""
    assert row.n_heads % row.n_kv_heads == 0
    assert row.d_head in (64, 128, 256)
    assert row.d_model % 128 == 0 or row.d_model == 1600
    assert row.n_layers < row.d_model < row.vocab_size
    assert 1024 <= row.max_tokens <= 131_072


def test_all_tables_are_seen():
    """A search for tables that finds none checks none."""
    assert len(ROWS) > 25


def test_a_row_becomes_a_configuration():
    """A column that lands in the wrong field."""
    config = presets.sized(presets.LLAMA3, "405B")
    assert (config.d_model, config.n_layers) == (16_384, 126)
    assert (config.n_heads, config.n_kv_heads, config.d_head) == (128, 8, 128)
    assert (config.d_ff, config.vocab_size) == (53_248, 128_256)
    assert not config.tied


def test_an_unknown_row_is_told_the_known_ones():
    """A KeyError that names what the user typed and nothing else."""
    with pytest.raises(ValueError, match=r"'8b'; use one of 8B, 70B, 405B"):
        presets.sized(presets.LLAMA3, "8b")
