"""The same model in sentencepiece and here: the same segmentation."""

import io
import sys

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import Tokenizer

from scratchlm.interop.tokenizers.sentencepiece import from_sentencepiece
from scratchlm.text.corpora.interpreter import python_docs, python_source
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer

DOCS = list(python_docs(150_000))
SPACE_MARK = "\u2581"


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
    texts = [text for text in texts if SPACE_MARK not in text]
    assert len(texts) > 1000
    for text in texts:
        assert ours.encode_ordinary(text) == theirs.encode(text)


awkward = st.text("aeit  =*-é日\n\t'\"()\u0301😀", max_size=60)


@given(st.one_of(awkward, st.text()))
def test_segments_as_sentencepiece_does_on_any_text(pair, text):
    """Runs of unknown characters, of which the two make one id or many."""
    theirs, ours = pair
    text = text.replace(SPACE_MARK, "").replace("\0", "")
    ids = ours.encode_ordinary(text)
    assert ids == theirs.encode(text)
    if ours.byte_ids:
        assert ours.decode(ids) == text


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
    double = UnigramTokenizer(
        pattern=ours.pattern,
        scores=ours.scores,
        vocab=ours.vocab,
        byte_ids=ours.byte_ids,
        unknown_id=ours.unknown_id,
        special_tokens=ours.special_tokens,
    )
    assert double.fingerprint != ours.fingerprint
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


def test_a_space_and_the_sign_for_it_are_two_characters(pair):
    """sentencepiece reads U+2581 in a text as a space, and the text that
    held it does not come back. Here it stays what it is."""
    theirs, ours = pair
    assert theirs.decode(theirs.encode("a\u2581b")) == "a b"
    if ours.byte_ids:
        assert ours.decode(ours.encode("a\u2581b")) == "a\u2581b"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_type": "bpe"}, "model_type is 2, not unigram"),
        ({"normalization_rule_name": "nmt_nfkc"}, "nmt_nfkc"),
        ({"add_dummy_prefix": True}, "add_dummy_prefix"),
        ({"remove_extra_whitespaces": True}, "remove_extra_whitespaces"),
        ({"treat_whitespace_as_suffix": True}, "spaces"),
        ({"user_defined_symbols": ["<sep>"]}, "'<sep>' has a type"),
    ],
)
def test_models_that_do_more_are_refused(tmp_path, options, message):
    """A model that loads, and gives other ids than its own library."""
    path = tmp_path / "m.model"
    path.write_bytes(trained(vocab_size=300, **options))
    with pytest.raises(ValueError, match=message) as error:
        from_sentencepiece(path)
    assert str(path) in str(error.value)


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
