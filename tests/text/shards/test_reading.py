import pickle
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.text.shards.reading import TokenShards
from scratchlm.text.shards.token_maps import TokenMaps
from scratchlm.text.shards.writing import ShardConfig, write_shards
from scratchlm.text.tokenizer.bpe import BPETokenizer

END = "<|endoftext|>"
DOCS = ["she sells", "", "sea shells", "by the sea shore " * 5, "x", "yz"]


@cache
def trained():
    return BPETokenizer.train(DOCS, 270, special_tokens=[END])


@cache
def tokens():
    return [
        [*trained().encode_ordinary(d), trained().vocab_size - 1] for d in DOCS
    ]


@cache
def flat():
    return [token for doc in tokens() for token in doc]


@pytest.fixture(scope="module", params=[1, 12, 10_000])
def shards(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    config = ShardConfig(shard_tokens=request.param)
    return write_shards(DOCS, trained(), folder, config, workers=1)


def test_documents_come_back(shards):
    """A document at the border of two shards, lost or given twice."""
    assert len(shards) == len(DOCS)
    assert [doc.tolist() for doc in shards] == tokens()
    assert [shards[i].tolist() for i in range(len(DOCS))] == tokens()
    assert shards[-1].tolist() == tokens()[-1]
    with pytest.raises(IndexError):
        shards[len(DOCS)]
    assert trained().decode(shards[3][:-1]) == DOCS[3]
    starts = shards.document_starts()
    assert np.diff(starts).tolist() == [len(doc) for doc in tokens()]


@settings(max_examples=200)
@given(st.data())
def test_ranges_cross_the_borders_of_files(shards, data):
    """A range that stops at the end of its file, or starts over there."""
    assert shards.n_tokens == len(flat())
    start = data.draw(st.integers(0, len(flat())))
    stop = data.draw(st.integers(start, len(flat())))
    assert shards.read(start, stop).tolist() == flat()[start:stop]
    length = data.draw(st.integers(1, len(flat())))
    last = len(flat()) - length
    starts = np.array(data.draw(st.lists(st.integers(0, last))), np.int64)
    windows = shards.windows(starts, length)
    assert windows.tolist() == [flat()[s : s + length] for s in starts]
    assert windows.dtype == np.int64
    documents = np.array(data.draw(st.lists(st.integers(0, 5))), np.int64)
    starts = shards.document_starts()
    taken = shards.ranges(starts[documents], np.diff(starts)[documents])
    assert taken.tolist() == [t for i in documents for t in tokens()[i]]


def test_ranges_outside_name_the_folder(shards):
    """A loss of which nobody knows from which corpus it came."""
    message = f"no tokens from -1 to 3; the shards of {shards.folder} hold"
    with pytest.raises(ValueError, match=message):
        shards.read(-1, 3)
    with pytest.raises(ValueError, match=message):
        shards.windows(np.array([-1]), 4)


def test_maps_are_a_part(shards):
    """Shards that read the one way whatever was asked, or forget it in
    another process."""
    plain = TokenShards(shards.folder, maps=TokenMaps)
    starts = np.arange(len(flat()) - 4)
    windows = shards.windows(starts, 5).tolist()
    for each in (plain, pickle.loads(pickle.dumps(plain))):
        assert type(each._maps) is TokenMaps
        assert each.windows(starts, 5).tolist() == windows


def test_an_empty_range_at_the_end(shards):
    """A last document without tokens, sought behind the last file."""
    starts, lengths = np.array([0, len(flat())]), np.array([2, 0])
    assert shards.ranges(starts, lengths).tolist() == flat()[:2]


def test_nothing_is_copied(shards):
    """A reader that loads the corpus into memory."""
    document = shards[3]
    assert document.base is not None
    assert not document.flags.writeable
    assert not document.flags.owndata


def test_pickled_by_the_name_of_its_folder(tmp_path):
    """A memory map that goes to each worker as a copy of all it maps."""
    text = "she sells sea shells " * 5000
    shards = write_shards([text], trained(), tmp_path, workers=1)
    plain = np.memmap(tmp_path / "shard-00000.tokens", "<u2", "r")
    assert len(pickle.dumps(plain)) > 2 * shards.n_tokens
    data = pickle.dumps(shards)
    assert len(data) < 1000
    assert pickle.loads(data)[0].tolist() == shards[0].tolist()


def test_documents_without_tokens(tmp_path):
    """An empty file, which no system maps into memory."""
    config = ShardConfig(shard_tokens=1, end_of_text=None)
    shards = write_shards(["", ""], trained(), tmp_path, config)
    assert [doc.tolist() for doc in shards] == [[], []]
    assert shards.end_id is None
    assert shards.read(0, 0).tolist() == []
    nothing = np.zeros(0, np.int64)
    assert shards.windows(nothing, 3).shape == (0, 3)


@pytest.fixture
def folder(tmp_path):
    config = ShardConfig(shard_tokens=12)
    write_shards(DOCS, trained(), tmp_path, config, workers=1)
    return tmp_path


@pytest.mark.parametrize("name", ["shard-00001.tokens", "shard-00000.offsets"])
def test_truncated_and_missing_files_are_named(folder, name):
    """A copy that broke off, and a model that trains on what arrived."""
    path = folder / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=rf"{name} has \d+ bytes.*truncated"):
        TokenShards(folder)
    path.unlink()
    with pytest.raises(ValueError, match=f"{name} is missing"):
        TokenShards(folder)


@pytest.mark.parametrize("name", ["shard-00001.tokens", "shard-00000.offsets"])
def test_altered_and_foreign_files_are_named(folder, name):
    """A flipped bit, or another run's shard of the same size."""
    path = folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    TokenShards(folder)  # the size is right: this is what verify is for
    with pytest.raises(ValueError, match=f"{name} was altered"):
        TokenShards(folder, verify=True)


def test_offsets_must_span_their_tokens(folder):
    """The offsets of another shard with as many documents."""
    path = folder / "shard-00000.offsets"
    data = np.fromfile(path, "<u8")
    (data + 1).tofile(path)
    with pytest.raises(ValueError, match=r"shard-00000\.offsets was altered"):
        TokenShards(folder)


def test_another_tokenizer_is_refused(folder):
    """Tokens that decode to nonsense, and a loss that looks normal."""
    other = BPETokenizer.train(DOCS, 269, special_tokens=[END])
    with pytest.raises(
        ValueError, match=r"manifest\.json.*load the tokenizer"
    ):
        TokenShards(folder, other)
    assert len(TokenShards(folder, trained(), verify=True)) == len(DOCS)


def test_the_fingerprint_is_of_the_content(tmp_path, folder):
    """Two corpora that a resumed run cannot tell apart."""
    one = TokenShards(folder).fingerprint
    config = ShardConfig(shard_tokens=12)
    again = write_shards(DOCS, trained(), tmp_path / "a", config)
    other = write_shards(DOCS[1:], trained(), tmp_path / "b", config)
    assert one == again.fingerprint != other.fingerprint
