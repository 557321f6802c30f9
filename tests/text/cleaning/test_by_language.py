"""The rules that can judge a language, and those that cannot."""

import pytest

from scratchlm.text.cleaning.by_language import steps_for, without_rules
from scratchlm.text.cleaning.pipeline import DEFAULT_STEPS, PAGE_STEPS, clean

HARBOUR = {
    "de": """Der Hafen der kleinen Stadt liegt am frühen Morgen noch im Nebel.
Die Boote, die in der Nacht hinausgefahren sind, kommen mit der Flut zurück.
Auf dem Kai stehen einige Leute und warten auf den Fang, der heute größer ist
als in der letzten Woche. Ein alter Fischer erzählt, dass früher mehr Schiffe
hier lagen und dass man am Abend die Lichter bis zum Leuchtturm sah.""",
    "ru": """Порт маленького города рано утром ещё лежит в тумане. Лодки,
которые вышли в море ночью, возвращаются с приливом. На пристани стоят
несколько человек и ждут улова, который сегодня больше, чем на прошлой
неделе. Старый рыбак рассказывает, что раньше здесь стояло больше кораблей и
что вечером были видны огни до самого маяка. Сегодня в море выходят только
три семьи, но они продают свою рыбу во многие гостиницы.""",
    "hi": """छोटे शहर का बंदरगाह सुबह अभी भी कोहरे में है।
रात में गई नावें ज्वार
के साथ वापस आती हैं। घाट पर कुछ लोग खड़े हैं और मछली का इंतज़ार कर रहे हैं, जो
आज पिछले सप्ताह से अधिक है। एक बूढ़ा मछुआरा बताता है कि पहले यहाँ अधिक जहाज़ थे
और शाम को प्रकाशस्तंभ तक की
रोशनी दिखाई देती थी।""",
    "zh": """小城的港口清晨还笼罩在雾中。
夜里出海的船随着潮水回来了。码头上站着几个人，等着今天的渔获。一位老渔民说，从前这里停着更多的船。""",
    "th": """ท่าเรือของเมืองเล็กในเวลาเช้าตรู่
เรือที่ออกไปในเวลากลางคืน""",
}


@pytest.mark.parametrize("code", HARBOUR)
def test_prose_of_a_language_passes(code):
    """Rules made for English keep no text of any other language."""
    text = HARBOUR[code].replace("\n", "" if code == "zh" else " ")
    (outcome,) = clean([text], steps_for([code]))
    assert outcome.kept, outcome.reason
    (outcome,) = clean([text], steps_for(["en"]))
    assert not outcome.kept


def test_english_has_the_rules_that_it_had():
    """Two pipelines of one name that drift apart."""
    for pages, steps in [(False, DEFAULT_STEPS), (True, PAGE_STEPS)]:
        ours = steps_for(pages=pages)
        assert [each.name for each in ours] == [each.name for each in steps]
    assert without_rules(["en", "de"]) == []


def test_rules_can_be_left_out_by_name():
    """A word that turns a rule off, and a slip in it that turns off none."""
    steps = steps_for(["sw"], without=["stop words", "curly brackets"])
    names = {step.name for step in steps}
    assert len(names) == len(DEFAULT_STEPS) - 2
    assert not names & {"stop words", "curly brackets"}
    with pytest.raises(ValueError, match=r"no step 'stopwords'.*stop words,"):
        steps_for(["de"], without=["stopwords"])
    with pytest.raises(ValueError, match=r"no stop words for .*'sw'"):
        steps_for(["sw"])
    with pytest.raises(ValueError, match="one string"):
        steps_for("de")


def test_the_rules_that_cannot_judge_are_told():
    """Chinese has no spaces, so a page of it is one word of no stop words."""
    names = {step.name for step in steps_for(["zh", "en"])}
    left_out = without_rules(["zh", "en"])
    assert "words" in left_out
    assert "lines of words" in left_out
    assert "sentences" not in left_out
    assert not names & set(left_out)
    assert "sentences" in without_rules(["th"])
