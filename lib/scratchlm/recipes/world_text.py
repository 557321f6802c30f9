"""Text of TinyWorld for training: a tokenizer for it, and packed rows.

All documents are drawn anew, and each is read once: there are no epochs.
Short ones may coincide by chance, those held out too, as they do among any
documents of the world; its entropy counts that in.
"""

from functools import cache, lru_cache

from scratchlm.text.shards.batches import BatchConfig, Batches
from scratchlm.text.shards.in_memory import MemoryTokens
from scratchlm.text.shards.rows import PackedRows
from scratchlm.text.tinyworld.world import TinyWorld
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.text.tokenizer.bpe import BPETokenizer

WORLD = 0
TRAINED_ON, TOKENIZED = 1, 3  # seeds of documents
END = "<|endoftext|>"
# Words with the space before them, digits one by one, and the signs between.
PIECES = r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s"
N_TOKENS = 256  # the longest document has fewer
DOCUMENTS_PER_ROW = 2.6  # measured 2.57; more, so that no row comes twice


@cache
def world_tokenizer(vocab_size: int) -> SubwordTokenizer:
    """Return a tokenizer for TinyWorld, whose common words are whole.

    Digits stay single, so that the digits of two numbers stand under each
    other and a sum can be worked from them.

    Args:
        vocab_size: the bytes, the merged tokens and the end of a document.

    Raises:
        ValueError: it is too small.
    """
    world = TinyWorld(WORLD)
    texts = (document.text for document in world.documents(TOKENIZED, 20_000))
    return BPETokenizer.train(
        texts, vocab_size, pattern=PIECES, special_tokens=[END], workers=1
    )


def world_batches(
    *, vocab_size: int, n_documents: int, batch_size: int, seed: int
) -> Batches:
    """Return whole documents in packed rows, each drawn anew.

    Args:
        vocab_size: of the tokenizer.
        n_documents: how many.
        batch_size: rows of a step.
        seed: of their order.
    """
    rows = _rows(vocab_size, n_documents)
    return Batches(rows, BatchConfig(batch_size=batch_size, seed=seed))


@lru_cache(maxsize=2)
def _rows(vocab_size: int, n_documents: int) -> PackedRows:
    """Return packed documents, which timing, training and writing share."""
    tokenizer, world = world_tokenizer(vocab_size), TinyWorld(WORLD)
    drawn = world.documents(TRAINED_ON, n_documents)
    ids = tokenizer.encode_batch([d.text for d in drawn], workers=1)
    end = tokenizer.special_tokens[END]
    return PackedRows(MemoryTokens(ids, end), N_TOKENS)
