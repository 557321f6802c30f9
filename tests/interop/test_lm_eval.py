"""The harness asks our model and transformers' of one checkpoint."""

import random
import sys
from types import SimpleNamespace

import pytest
import torch

from scratchlm.interop import hf
from scratchlm.interop.lm_eval import lm_eval_model
from scratchlm.text.tokenizer import BPETokenizer

END = "<|endoftext|>"
WORDS = ["the", "old", "dog", "saw", "a", "red", "fox", "in", "fog", "river"]


def text(seed, n_words):
    draws = random.Random(seed)
    return " ".join(draws.choices(WORDS, k=n_words))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """One checkpoint in the hands of lm-eval's own class, and in ours."""
    import transformers
    from lm_eval.models.huggingface import HFLM

    folder = tmp_path_factory.mktemp("checkpoint")
    tokenizer = BPETokenizer.train(
        [text(0, 900)], vocab_size=280, special_tokens=[END]
    )
    tokenizer.save(folder / "tokenizer")
    end = tokenizer.special_tokens[END]
    config = transformers.LlamaConfig(
        vocab_size=280, hidden_size=32, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, intermediate_size=48,
        max_position_embeddings=48, initializer_range=0.2, bos_token_id=end,
        eos_token_id=end,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(
        folder
    )
    model = hf.load(folder, dtype=torch.float32).model.eval()
    transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer" / "tokenizer.json"),
        eos_token=END,
    ).save_pretrained(folder)
    theirs = HFLM(
        pretrained=str(folder), device="cpu", dtype="float32", batch_size=4
    )
    return SimpleNamespace(
        ours=lm_eval_model(model, tokenizer, end_id=end), theirs=theirs
    )


def asked(both, kind, arguments):
    """What both answer."""
    from lm_eval.api.instance import Instance

    requests = [
        Instance(request_type=kind, doc={}, arguments=each, idx=i)
        for i, each in enumerate(arguments)
    ]
    return [getattr(each, kind)(requests) for each in (both.ours, both.theirs)]


def test_continuations(both):
    """Scores in another order than the requests, an empty context, or
    another cut."""
    contexts = [text(1, 9), "", text(2, 60), text(1, 9), text(3, 4) + " "]
    pairs = [(each, ending) for each in contexts for ending in (" fox", " a")]
    ours, theirs = asked(both, "loglikelihood", pairs)
    assert [best for _, best in ours] == [best for _, best in theirs]
    due = [log_prob for log_prob, _ in theirs]
    assert [x for x, _ in ours] == pytest.approx(due, rel=1e-6)


def test_whole_texts(both):
    """Other windows, or another token before the first."""
    texts = [(text(seed, n),) for seed, n in [(1, 5), (2, 90), (3, 40)]]
    ours, theirs = asked(both, "loglikelihood_rolling", texts)
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_generation(both):
    """A stop that stays in the text, or a prompt cut at the wrong end."""
    settings = {"until": [" the", "x"], "max_gen_toks": 12}
    prompts = [(text(seed, n), settings) for seed, n in [(1, 5), (2, 60)]]
    ours, theirs = asked(both, "generate_until", prompts)
    assert ours == theirs


def test_a_task(both):
    """The harness's own loop, from documents to accuracy."""
    import datasets
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.evaluator import evaluate

    documents = datasets.Dataset.from_list(
        [{"q": text(i, 6), "gold": i % 3} for i in range(9)]
    )

    class Choice(ConfigurableTask):
        def __init__(self):
            super().__init__(
                config={
                    "task": "choice",
                    "output_type": "multiple_choice",
                    "custom_dataset": lambda **_: {"test": documents},
                    "test_split": "test",
                    "doc_to_text": "{{q}}",
                    "doc_to_choice": ["fox", "dog ran", "river"],
                    "doc_to_target": "{{gold}}",
                }
            )

    found = [
        evaluate(lm=each, task_dict={"choice": Choice()}, bootstrap_iters=0)
        for each in (both.ours, both.theirs)
    ]
    ours, theirs = (each["results"]["choice"] for each in found)
    assert ours == theirs
    assert "acc,none" in ours


def test_sampling_is_refused(both):
    """A score that nobody can repeat."""
    with pytest.raises(ValueError, match="only greedy"):
        both.ours._written("a", {"do_sample": True})
    with pytest.raises(ValueError, match="no token of the prompt"):
        both.ours._written("a", {"max_gen_toks": 48})


def test_without_the_harness(monkeypatch):
    """An import error that does not say what to install."""
    monkeypatch.setitem(sys.modules, "lm_eval.api.model", None)
    monkeypatch.setitem(sys.modules, "lm_eval.api", None)
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    model = torch.nn.Linear(1, 1)
    tokenizer = BPETokenizer.train(["a"], vocab_size=256)
    with pytest.raises(ImportError, match=r"pip install lm-eval==0\.4\.13"):
        lm_eval_model(model, tokenizer, end_id=0)
