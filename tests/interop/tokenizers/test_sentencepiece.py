"""The same model in sentencepiece and here: the same tokens."""

import io
import random
import sys
from dataclasses import replace

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import Tokenizer

from scratchlm.interop.tokenizers.sentencepiece import from_sentencepiece
from scratchlm.text.corpora.interpreter import python_docs, python_source
from scratchlm.text.subwords.character_bpe.tokenizer import (
    CharacterBPETokenizer,
)

DOCS = list(python_docs(150_000))


def trained(**changes) -> bytes:
    """A model of sentencepiece's that leaves text as it is."""
    options = {
        "vocab_size": 1200,
        "model_type": "unigram",
        "normalization_rule_name": "identity",
        "add_dummy_prefix": False,
        "remove_extra_whitespaces": False,
        "num_threads": 1,
        "minloglevel": 2,
    }
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter("\n".join(DOCS).split("\n")),
        model_writer=written,
        **options | changes,
    )
    return written.getvalue()


@pytest.fixture(scope="module", params=[True, False], ids=["bytes", "unk"])
def pair(request, tmp_path_factory):
    """One model, read by both."""
    path = tmp_path_factory.mktemp("model") / "m.model"
    path.write_bytes(trained(byte_fallback=request.param))
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return theirs, from_sentencepiece(str(path))


@pytest.mark.untraced
def test_segments_as_sentencepiece_does_on_real_text(pair):
    """A tie broken in another way, an unknown character scored in another:
    both show only on much text."""
    theirs, ours = pair
    texts = [part for doc in DOCS for part in doc.split("\n\n")]
    texts += "\n".join(python_source(200_000)).split("\n\n")
    assert len(texts) > 1000
    for text in texts[::3]:
        assert ours.encode_ordinary(text) == theirs.encode(text)


awkward = st.text("aeit  =*-é日\n\t'\"()\u0301😀", max_size=60)


@given(st.one_of(awkward, st.text()))
def test_segments_as_sentencepiece_does_on_any_text(pair, text):
    """Runs of unknown characters, of which the two make one id or many."""
    theirs, ours = pair
    text = text.replace("\0", "")
    ids = ours.encode_ordinary(text)
    assert ids == theirs.encode(text)
    assert ours.decode(ids) == theirs.decode(ids)


@given(awkward)
def test_scores_are_those_of_sentencepiece(pair, text):
    """A score with another unknown penalty, or none."""
    theirs, ours = pair
    if not text:
        return
    # A list of one best comes without its score.
    best = theirs.nbest_encode_as_proto(text, nbest_size=2).nbests[0]
    assert ours.score(text) == pytest.approx(best.score, rel=1e-5, abs=1e-4)
    assert ours.log_likelihood(text) >= ours.score(text) - 1e-9


def test_ties_are_broken_by_rounding(pair, tmp_path):
    """Equal ids by luck: in double precision some texts get another of
    several segmentations with the same score, and only such texts. The same
    model in tokenizers, which adds in double precision, goes with those."""
    theirs, ours = pair
    double = replace(ours, single_precision=False)
    assert double.fingerprint != ours.fingerprint
    with pytest.raises(ValueError, match="in single precision"):
        ours.save(tmp_path)
    double.save(tmp_path)
    face = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for n in range(2, 90):
        text = "*" * n + "=" * n
        single, exact = ours.encode(text), double.encode(text)
        assert single == theirs.encode(text)
        assert exact == face.encode(text).ids
        scores = [
            sum(theirs.get_score(i) for i in ids) for ids in (single, exact)
        ]
        assert scores[0] == pytest.approx(scores[1], rel=1e-6)


def test_a_sum_is_rounded_before_it_is_compared(tmp_path):
    """In double precision two tokens are better than the one whose score
    the rounded sum equals; of equal ones the longest comes first."""
    model = proto.ModelProto()
    a, b = -8.277970314025879, -8.862283706665039
    for name, score, kind in (
        ("<unk>", 0.0, 2),
        ("a", a, 1),
        ("b", b, 1),
        ("ab", -17.140254974365234, 1),
    ):
        model.pieces.add(piece=name, score=score, type=kind)
    assert a + b > model.pieces[3].score
    path = tmp_path / "m.model"
    path.write_bytes(model.SerializeToString())
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    assert from_sentencepiece(path).encode("ab") == theirs.encode("ab")


def test_a_space_and_the_sign_for_it_are_one(pair):
    """A text with U+2581 that gets other ids than in sentencepiece."""
    theirs, ours = pair
    ids = ours.encode("a\u2581b")
    assert ids == theirs.encode("a\u2581b")
    assert ours.decode(ids) == theirs.decode(ids) == "a b"


SYMBOLS = ["<sep>", "\n\n", "\u2581\u2581", "\u2581\u2581\u2581", "\ufb01"]
IDENTITY = {
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "vocab_size": 500,
    "hard_vocab_limit": False,
}
DEFAULTS = {
    "normalization_rule_name": "nmt_nfkc",
    "add_dummy_prefix": True,
    "remove_extra_whitespaces": True,
    "vocab_size": 500,
    "hard_vocab_limit": False,
}
BPE = {"model_type": "bpe", "byte_fallback": True, "split_digits": True}
# As the families were trained, but for the size.
FAMILIES = {
    "llama": IDENTITY | BPE | {"add_dummy_prefix": True},
    "gemma": IDENTITY
    | BPE
    | {"user_defined_symbols": SYMBOLS, "pad_id": 0, "unk_id": 3},
    "t5": DEFAULTS | {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1},
    "mt5": DEFAULTS | {"byte_fallback": True, "bos_id": -1},
    "albert": DEFAULTS
    | {
        "normalization_rule_name": "nmt_nfkc_cf",
        "control_symbols": ["[CLS]", "[SEP]"],
        "user_defined_symbols": ["(", ")", '"', "<long one>", "\ufb01"],
    },
    "bpe-nfkc": DEFAULTS
    | {"model_type": "bpe", "user_defined_symbols": SYMBOLS},
    "suffix": DEFAULTS
    | {"model_type": "bpe", "treat_whitespace_as_suffix": True},
}
BITS = [
    *SYMBOLS, "<s>", "</s>", "<unk>", "[CLS]", "<0x41>", " ", "  ", "\t",
    "\r\n", "\u3000", "\u200b", "e\u0301", "\u1100\u1161\u11a8", "\uff21", "½",
    "日本", "\U0001f468\u200d\U0001f469", "\x00", "\x01", "\ufffd", "ß", "İ",
    "123.5", "**=*", "<long one>", " the", "tokenizer", "\u2581",
]  # fmt: skip


def odd_texts(n):
    """Texts in which odd characters stand beside ordinary words."""
    draw = random.Random(0)
    texts = []
    for _ in range(n):
        doc = draw.choice(DOCS)
        at = draw.randrange(len(doc))
        bits = draw.choices([*BITS, doc[at : at + 30]], k=draw.randint(0, 12))
        texts.append("".join(bits))
    return texts


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_as_in_sentencepiece(family, tmp_path):
    """A rule of the normalisation, a symbol, or a byte read otherwise."""
    path = tmp_path / "m.model"
    path.write_bytes(trained(**FAMILIES[family]))
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    ours = from_sentencepiece(path)
    for text in odd_texts(120):
        ids = theirs.encode(text)
        assert ours.encode_ordinary(text) == ids
        assert ours.decode(ids) == theirs.decode(ids)
    with pytest.raises(ValueError, match=r"normalises by|merges by|single"):
        ours.save(tmp_path)


def test_a_user_defined_symbol_is_one_token(tmp_path):
    """A model that was refused, since its token had "a type of its own"."""
    path = tmp_path / "m.model"
    path.write_bytes(
        trained(vocab_size=500, byte_fallback=True, hard_vocab_limit=False,
                user_defined_symbols=["<sep>"])
    )  # fmt: skip
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    ours = from_sentencepiece(path)
    text = "the boats<sep>the tide"
    assert theirs.piece_to_id("<sep>") in ours.encode_ordinary(text)
    assert ours.encode_ordinary(text) == theirs.encode(text)


def test_unused_tokens_are_spelled_by_their_parts(tmp_path):
    """A token that a vocabulary gave up, in the output."""
    path = tmp_path / "m.model"
    for options in ({}, BPE | {"vocab_size": 500}):
        model = proto.ModelProto.FromString(trained(**options))
        for token in model.pieces:
            if token.type == 1 and len(token.piece) == 3:
                token.type = 5
        path.write_bytes(model.SerializeToString())
        theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
        ours = from_sentencepiece(path)
        for text in DOCS[0].split("\n"):
            assert ours.encode(text) == theirs.encode(text)


def changed(change):
    """A model with one change that this package does not follow."""
    model = proto.ModelProto.FromString(trained(vocab_size=300))
    change(model)
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: setattr(m.trainer_spec, "model_type", 3), "is 3, not"),
        (
            lambda m: setattr(
                m.denormalizer_spec, "precompiled_charsmap", b"x"
            ),
            "changes the text",
        ),
        (lambda m: m.pieces.add(piece="<s>"), "two of its tokens"),
        (lambda m: m.pieces.add(piece="%%", type=2), "one unknown token"),
        (lambda m: m.pieces.add(piece="Ω", type=3), "'Ω' is one character"),
        (
            lambda m: setattr(m.trainer_spec, "byte_fallback", True),
            "lacks the byte",
        ),
        (
            lambda m: setattr(
                m.normalizer_spec, "precompiled_charsmap", b"xx"
            ),
            "damaged",
        ),
    ],
)
def test_models_that_do_more_are_refused(tmp_path, change, message):
    """A model that loads, and gives other ids than its own library."""
    path = tmp_path / "m.model"
    path.write_bytes(changed(change))
    with pytest.raises(ValueError, match=message) as error:
        from_sentencepiece(path)
    assert str(path) in str(error.value)


def test_the_kind_says_the_class(tmp_path):
    """Scores of merges taken for probabilities."""
    path = tmp_path / "m.model"
    path.write_bytes(trained(vocab_size=300, model_type="bpe"))
    assert isinstance(from_sentencepiece(path), CharacterBPETokenizer)


def test_files_that_are_no_model(tmp_path):
    """A protobuf error that does not say of which file."""
    path = tmp_path / "m.model"
    with pytest.raises(ValueError, match=r"cannot read .*m\.model"):
        from_sentencepiece(path)
    path.write_bytes(b"\xff\xff\xff")
    with pytest.raises(ValueError, match=r"cannot read .*m\.model"):
        from_sentencepiece(path)
    path.write_bytes(proto.ModelProto().SerializeToString())
    with pytest.raises(ValueError, match="no tokens"):
        from_sentencepiece(path)


def test_without_sentencepiece(tmp_path, monkeypatch):
    """An ImportError for a user who has only the core installed."""
    name = "sentencepiece.sentencepiece_model_pb2"
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=r'pip install "scratchlm\[book\]"'):
        from_sentencepiece(tmp_path / "m.model")
