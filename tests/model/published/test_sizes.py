import pytest

from scratchlm.model.published import sizes as published_sizes
from scratchlm.model.published.sizes import LLAMA3, Sizes, sized

ROWS = {
    f"{family} {size}": row
    for family, table in vars(published_sizes).items()
    if family.isupper() and isinstance(table, dict)
    for size, row in table.items()
    if isinstance(row, Sizes)
}


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
    config = sized(LLAMA3, "405B")
    assert (config.d_model, config.n_layers) == (16_384, 126)
    assert (config.n_heads, config.n_kv_heads, config.d_head) == (128, 8, 128)
    assert (config.d_ff, config.vocab_size) == (53_248, 128_256)
    assert not config.tied


def test_an_unknown_row_is_told_the_known_ones():
    """A KeyError that names what the user typed and nothing else."""
    with pytest.raises(ValueError, match=r"'8b'; use one of 8B, 70B, 405B"):
        sized(LLAMA3, "8b")
