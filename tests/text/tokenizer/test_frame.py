import dataclasses

import pytest

from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.frame import Frame, read_frame

IDS = {"<s>": 1, "</s>": 2}


@pytest.mark.parametrize(
    "frame",
    [
        Frame(),
        Frame(before=("<s>",)),
        Frame(before=("<s>", "<s>"), after=("</s>",)),
        Frame(after=("</s>",), pair=(("$A", 0), ("</s>", 0), ("$B", 0))),
    ],
)
def test_a_frame_survives_its_rule(frame):
    """A token lost on the way, or put behind instead of before."""
    rule = frame.rule(IDS)
    assert read_frame(rule, IDS) == frame
    chain = {"type": "Sequence", "processors": [{"type": "ByteLevel"}]}
    chain["processors"] += [rule] if rule else []
    assert read_frame(chain, IDS) == frame


def test_frames_of_older_files():
    """RoBERTa's and BERT's, which are named and not spelled out."""
    rule = {"sep": ["</s>", 2], "cls": ["<s>", 1]}
    for kind in ("RobertaProcessing", "BertProcessing"):
        found = read_frame({"type": kind} | rule, IDS)
        assert (found.before, found.after) == (("<s>",), ("</s>",))


def test_frames_that_contradict_the_ids():
    """A text framed by an id that is another token's."""
    rule = Frame(before=("<s>",)).rule(IDS)
    with pytest.raises(ValueError, match=r"puts the ids \[1\] for '<s>'"):
        read_frame(rule, {"<s>": 5})
    twice = {"type": "Sequence", "processors": [rule, rule]}
    with pytest.raises(ValueError, match="twice"):
        read_frame(twice, IDS)
    empty = rule | {"single": [], "pair": []}
    with pytest.raises(ValueError, match="does not frame one text"):
        read_frame(empty, IDS)


def test_a_caller_asks_for_the_frame():
    """The token that begins a text, left out or put where nobody asked."""
    plain = BPETokenizer.train(["aab"], 258, special_tokens=["<s>"])
    framed = dataclasses.replace(plain, frame=Frame(before=("<s>",)))
    ids = framed.encode("ab")
    whole = [framed.special_tokens["<s>"], *ids]
    assert ids == plain.encode("ab")
    ask = {"add_special_tokens": True}
    assert framed.encode("ab", **ask) == whole
    assert framed.encode_array("ab", **ask).tolist() == whole
    assert framed.encode_batch(["ab"], **ask) == [whole]
    assert plain.encode("ab", **ask) == ids
