"""Other libraries' tokenizers, read and written."""

from scratchlm.interop.tokenizers.gpt2 import from_gpt2_files
from scratchlm.interop.tokenizers.loading import load_tokenizer
from scratchlm.interop.tokenizers.sentencepiece import from_sentencepiece
from scratchlm.interop.tokenizers.tiktoken import (
    from_tiktoken,
    from_tiktoken_file,
    to_tiktoken,
)

__all__ = [
    "from_gpt2_files",
    "from_sentencepiece",
    "from_tiktoken",
    "from_tiktoken_file",
    "load_tokenizer",
    "to_tiktoken",
]
