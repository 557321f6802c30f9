"""The numbers of EleutherAI's lm-evaluation-harness, on one checkpoint."""

import random
from types import SimpleNamespace

import pytest
import torch

from scratchlm.evaluation.perplexity.joining import Question, join
from scratchlm.evaluation.perplexity.perplexity import token_nats
from scratchlm.evaluation.perplexity.scoring import score_continuations
from scratchlm.evaluation.perplexity.windows import rolling_windows
from scratchlm.interop import hf
from scratchlm.text.tokenizer import BPETokenizer

END = "<|endoftext|>"
WORDS = ["the", "old", "dog", "saw", "a", "red", "fox", "in", "fog", "river"]
SIZES = {
    "LlamaConfig": {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 32,
    },
    "GPT2Config": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 32},
}


def text(seed, n_words):
    draws = random.Random(seed)
    return " ".join(draws.choices(WORDS, k=n_words))


@pytest.fixture(scope="module", params=sorted(SIZES))
def both(request, tmp_path_factory):
    """One checkpoint with its tokenizer, in their hands and in ours."""
    import transformers
    from lm_eval.models.huggingface import HFLM

    folder = tmp_path_factory.mktemp("checkpoint")
    tokenizer = BPETokenizer.train(
        [text(0, 900)], vocab_size=280, special_tokens=[END]
    )
    end = tokenizer.special_tokens[END]
    config = getattr(transformers, request.param)(
        vocab_size=280,
        initializer_range=0.2,
        bos_token_id=end,
        eos_token_id=end,
        **SIZES[request.param],
    )
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(
        folder
    )
    ours = hf.load(folder, dtype=torch.float32).model.eval()
    transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(saved(tokenizer, folder)), eos_token=END
    ).save_pretrained(folder)
    theirs = HFLM(
        pretrained=str(folder), device="cpu", dtype="float32", batch_size=4
    )
    return SimpleNamespace(
        ours=ours, tokenizer=tokenizer, end=end, theirs=theirs
    )


def saved(tokenizer, folder):
    tokenizer.save(folder / "tokenizer")
    return folder / "tokenizer" / "tokenizer.json"


def requests(kind, arguments):
    from lm_eval.api.instance import Instance

    return [
        Instance(request_type=kind, doc={}, arguments=each, idx=i)
        for i, each in enumerate(arguments)
    ]


def test_rolling(both):
    """Windows, the token that comes before the first, the last window."""
    texts = [text(seed, n) for seed, n in [(1, 5), (2, 90), (3, 31)]]
    due = both.theirs.loglikelihood_rolling(
        requests("loglikelihood_rolling", [(each,) for each in texts])
    )
    documents = both.tokenizer.encode_batch(texts)
    assert max(map(len, documents)) > 64
    found = token_nats(both.ours, documents, start_id=both.end)
    totals = [-each.sum() for each in found]
    assert totals == pytest.approx(due, rel=1e-6)


def test_continuations(both):
    """Cut of context and continuation, what is kept of a long context, and
    whether all tokens are the likeliest."""
    pairs = [(text(1, 9), [" fox", " dog ran", " a"]), (text(2, 60), [" in"])]
    pairs += [(text(3, 4) + " ", ["river", "fox"])]
    flat = [(context, each) for context, some in pairs for each in some]
    due = both.theirs.loglikelihood(requests("loglikelihood", flat))
    scores = score_continuations(
        both.ours, [join(both.tokenizer, *each) for each in pairs]
    )
    found = [x for each in scores for x in each.log_prob]
    assert found == pytest.approx([log_prob for log_prob, _ in due], rel=1e-6)
    greedy = [bool(x) for each in scores for x in each.greedy]
    assert greedy == [best for _, best in due]
    assert scores[1].n_dropped[0] > 0


def test_the_likeliest_tokens(both):
    """`is_greedy` of a continuation that the model would write itself."""
    ids = both.tokenizer.encode(text(5, 6))
    with torch.no_grad():
        best = int(both.ours(torch.tensor([ids]))[0, -1].argmax())
    ((_, due),) = both.theirs._loglikelihood_tokens([(("", ""), ids, [best])])
    question = Question(context=tuple(ids), continuations=((best,),))
    (found,) = score_continuations(both.ours, [question])
    assert due is True
    assert found.greedy[0]


@pytest.mark.parametrize("context_len", [1, 3, 8])
def test_windows(context_len):
    """Each window reads and scores the tokens that theirs does."""
    from lm_eval.utils import get_rolling_token_windows

    for n in (1, 7, 8, 9, 23):
        tokens = [*range(1, n + 1)]
        due = [*get_rolling_token_windows(tokens, 0, 8, context_len)]
        whole = [0, *tokens]
        windows = rolling_windows(n, max_tokens=8, stride=9 - context_len)
        assert [
            (whole[w.start : w.stop], whole[w.first + 1 : w.stop + 1])
            for w in windows
        ] == due
