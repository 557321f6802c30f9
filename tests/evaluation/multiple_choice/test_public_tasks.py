"""The field's forms, letter by letter."""

import pytest

from scratchlm.evaluation.multiple_choice.documents import read_documents
from scratchlm.evaluation.multiple_choice.few_shot import prefixes
from scratchlm.evaluation.multiple_choice.public_tasks import (
    arc,
    clean_wikihow,
    hellaswag,
    in_form,
    lambada,
    mmlu,
    public_tasks,
)
from scratchlm.text.corpora.public_data import HubDataset

MMLU = {
    "question": " What is 1 + 1?",
    "choices": ["0", "1", "2", "3"],
    "answer": 2,
    "subject": "abstract_algebra",
}
ARC = {
    "question": "What is ice?",
    "choices": {"text": ["Rock", "Water", "Air"], "label": ["1", "2", "3"]},
    "answerKey": "2",
}
HELLASWAG = {
    "ctx_a": "[header] How to swim [title] Find water.",
    "ctx_b": "then",
    "activity_label": "Swimming",
    "endings": ["[step] jump  in.", "cry.", "sleep.", "eat."],
    "label": "0",
}


def test_mmlu_by_letter():
    """Letters with or without a space, options that are lost, or examples
    of another subject."""
    asked = mmlu().asked(MMLU, "")
    assert asked.contexts == (
        "What is 1 + 1?\nA. 0\nB. 1\nC. 2\nD. 3\nAnswer:",
    )
    assert asked.continuations == (" A", " B", " C", " D")
    assert asked.answer == 2
    pool = [MMLU | {"question": f"{i}?"} for i in range(7)]
    pool[0]["subject"] = "law"
    (before,) = prefixes(mmlu(), [MMLU], pool)
    assert before.startswith(
        "The following are multiple choice questions (with answers) about "
        "abstract algebra.\n\n1?\nA. 0\n"
    )
    assert before.count("Answer: C\n\n") == 5
    assert before.endswith("D. 3\nAnswer: C\n\n")


def test_three_ways_to_ask():
    """The same question by its texts is another test."""
    listed = mmlu("listed").asked(MMLU, "")
    assert listed.contexts == mmlu().asked(MMLU, "").contexts
    text = mmlu("text").asked(MMLU, "")
    assert text.contexts == ("What is 1 + 1?\nAnswer:",)
    assert (
        text.continuations == listed.continuations == (" 0", " 1", " 2", " 3")
    )
    with pytest.raises(ValueError, match="form is 'number'"):
        in_form("number", lambda d: "", lambda d: [])


def test_arc_finds_its_answer_by_label():
    """Labels are letters in some questions, and numbers in others."""
    asked = arc("easy").asked(ARC, "")
    assert asked.contexts == ("Question: What is ice?\nAnswer:",)
    assert asked.continuations == (" Rock", " Water", " Air")
    assert asked.answer == 1
    assert arc("challenge").source.subset == "ARC-Challenge"
    with pytest.raises(ValueError, match="part is 'hard'"):
        arc("hard")


def test_hellaswag_is_cleaned():
    """Marks of WikiHow that every choice has, and no text has."""
    asked = hellaswag().asked(HELLASWAG, "")
    assert asked.contexts == ("Swimming: How to swim. Find water. Then",)
    assert asked.continuations[0] == "  jump in."
    assert clean_wikihow(" a [title] b [sub] c ") == "a. b c"


def test_the_last_word_of_a_passage():
    """A passage that is cut at its last but one space, or its last letter."""
    asked = lambada().asked({"text": "He saw the red fox"}, "")
    assert asked.contexts == ("He saw the red",)
    assert asked.continuations == (" fox",)


def test_each_is_pinned_and_read_from_a_folder(tmp_path):
    """'main' is another test next year; two sets of one name overwrite each
    other in a folder of local data."""
    tasks, sources = public_tasks(), set()
    for task in tasks.values():
        for source in (task.source, task.examples_source):
            if source is not None:
                assert isinstance(source, HubDataset)
                assert len(bytes.fromhex(source.revision)) == 20
                assert source.column in task.columns
                sources.add((source.name, source.subset, source.split))
    assert len({name for name, *_ in sources}) == len(sources)
    (tmp_path / "lambada_openai").mkdir()
    (tmp_path / "lambada_openai" / "a.jsonl").write_text('{"text": "a b"}\n')
    task = tasks["lambada_openai"]
    found = read_documents(task.source, task.columns, folder=tmp_path)
    assert found == [{"text": "a b"}]
