"""Continuations of shared contexts, read once."""

import random

import pytest
import torch

from scratchlm.evaluation.perplexity.joining import Question
from scratchlm.evaluation.perplexity.scoring import score_continuations


def question(context, *continuations):
    return Question(
        context=tuple(context), continuations=tuple(map(tuple, continuations))
    )


def questions_of(seed=0):
    """Some share thirty tokens with others, and some nothing at all."""
    draws = random.Random(seed)

    def some(least, most):
        n = draws.randint(least, most)
        return [draws.randint(1, 60) for _ in range(n)]

    stems = [some(30, 30), some(24, 24), []]
    return [
        question(
            [*draws.choice(stems), *some(1, 12)],
            *(some(1, 6) for _ in range(draws.randint(1, 4))),
        )
        for _ in range(12)
    ]


def check(model, questions, scores, alone):
    for asked, found in zip(questions, scores, strict=True):
        for i, ids in enumerate(asked.continuations):
            due = alone(model, asked.context, ids)
            total = sum(log_prob for log_prob, _ in due)
            assert found.log_prob[i] == pytest.approx(total, abs=1e-3)
            assert found.greedy[i] == all(best for _, best in due)
            assert found.n_tokens[i] == len(ids)
            assert found.n_dropped[i] == 0


@pytest.mark.parametrize(
    "name", ["rope", "alibi", "window", "latents", "learned positions"]
)
@pytest.mark.parametrize("n_rows", [1, 7])
def test_shared_is_alone(name, n_rows, build_variant, alone):
    """A continuation that sees another one's tokens, keys of the question
    beside it, or padding; scores that go to another question after sorting;
    positions that count from the end of what was shared."""
    model, questions = build_variant(name), questions_of()
    scores = score_continuations(model, questions, n_rows=n_rows)
    check(model, questions, scores, alone)


def test_shared_tokens_are_read_once(small, build):
    """A prefix that is found and read again for each question."""
    model, read = build(small), []
    model.blocks[0].register_forward_hook(
        lambda block, args, y: read.append(y.shape[0] * y.shape[1])
    )
    stem = [*range(1, 31)]
    asked = [question([*stem, 40 + i, 7], [1], [2], [3]) for i in range(20)]
    score_continuations(model, asked)
    # The stem once, of each question one token, and of all three letters
    # the token that predicts them.
    assert sum(read) == 30 + 20 + 20


def test_the_likeliest_continuation_is_greedy(small, build):
    """Greedy is asked of each token given the right ones before it, and of
    all of them."""
    model, context = build(small), [3, 4, 5]
    ids = list(context)
    with torch.no_grad():
        for _ in range(3):
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    best, other = ids[3:], [*ids[3:5], (ids[5] + 1) % 61]
    (found,) = score_continuations(model, [question(context, best, other)])
    assert found.greedy.tolist() == [True, False]


def test_a_long_context_loses_its_beginning(small, build, alone):
    """The wrong end is cut, a token too many goes, or after the cut tokens
    of the context are scored. That it happened must show."""
    model, ids = build(small), [i % 60 + 1 for i in range(70)]
    asked = [question(ids, [5], [5, 6, 7]), question([1], [2, 3])]
    first, second = score_continuations(model, asked)
    assert first.n_dropped.tolist() == [6, 8]
    assert second.n_dropped.tolist() == [0]
    for i, kept in enumerate([ids[6:], ids[8:]]):
        due = alone(model, kept, asked[0].continuations[i])
        total = sum(log_prob for log_prob, _ in due)
        assert first.log_prob[i] == pytest.approx(total, abs=1e-3)


def test_a_start_token_stands_once(small, build, alone):
    """Two of them, or none before a context that has none."""
    model = build(small)
    asked = [question([0, 4], [5]), question([4], [5]), question([], [5, 6])]
    with_start = score_continuations(model, asked, start_id=0)
    assert with_start[0].log_prob == pytest.approx(with_start[1].log_prob)
    due = sum(x for x, _ in alone(model, [0], [5, 6]))
    assert with_start[2].log_prob[0] == pytest.approx(due, abs=1e-4)
    with pytest.raises(ValueError, match="question 2 has nothing before"):
        score_continuations(model, asked)


def test_what_cannot_be_scored(small, build):
    """A continuation whose own beginning would be cut off, or a nan that
    nobody can find."""
    model = build(small)
    with pytest.raises(ValueError, match="continuation 1 of question 0"):
        score_continuations(model, [question([1], [2], [3] * 65)])
    with pytest.raises(ValueError, match="n_rows is 0"):
        score_continuations(model, [], n_rows=0)
    assert score_continuations(model, []) == []
    with torch.no_grad():
        model.embedding.tokens.weight[9] = torch.nan
    with pytest.raises(ValueError, match="question 1, continuation 0"):
        score_continuations(model, [question([1], [2]), question([9], [2])])
