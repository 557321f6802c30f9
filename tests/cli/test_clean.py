"""Good documents pass, bad ones do not, and the funnel is told."""

import json

from scratchlm.cli.program import main
from scratchlm.text.corpora.texts import read_records, read_texts, write_texts

GOOD = """
The mill stood at the end of the valley, where the river turns. My mother
worked there for most of her life, and she knew each of the people who came
with their grain. In the autumn the carts waited along the whole road. They
talked about the harvest, about the weather and about the price of bread,
which was always too low or too high, depending on whom you asked. When the
new bridge was built, the carts stopped coming, because the town was closer
now. The wheel turned for another year, and then it stood still. She wrote
to anna.miller@example.org about it, and that was the last we heard.
""".replace("\n", " ").strip()
SPAM = "buy now " * 200


def run(tmp_path, *options):
    out = tmp_path / "out.jsonl"
    path = str(tmp_path / "in.jsonl")
    code = main(["clean", path, "-o", str(out), "--no-progress", *options])
    assert code == 0
    return list(read_texts(out)) if out.stat().st_size else []


def test_spam_goes_and_addresses_are_masked(tmp_path, capsys):
    """A command that writes what it was given."""
    write_texts([GOOD, SPAM], tmp_path / "in.jsonl")
    (kept,) = run(tmp_path)
    assert kept.startswith("The mill stood")
    assert "anna.miller@example.org" not in kept
    funnel = capsys.readouterr().err.splitlines()
    assert funnel[0].split()[:3] == ["input", "2", "documents"]
    assert funnel[-2].split()[:3] == ["masked", "1", "documents"]
    assert funnel[-1] == "masked in the documents kept: 1 email"
    (rejected,) = run(tmp_path, "--rejected")
    assert rejected.split() == SPAM.split()


def test_pages_are_read_and_languages_chosen(tmp_path):
    """HTML that passes as text, and an option that is not passed on."""
    page = (
        "<html><body><nav><a href='/'>Home</a></nav><article>"
        f"<h1>The mill</h1><p>{GOOD}</p></article></body></html>"
    )
    write_texts([page], tmp_path / "in.jsonl")
    (kept,) = run(tmp_path, "--pages", "--languages", "en")
    assert "The mill stood" in kept
    assert "<p>" not in kept
    assert run(tmp_path, "--pages", "--languages", "de", "fr") == []


GERMAN = """
Der Hafen der kleinen Stadt liegt am frühen Morgen noch im Nebel. Die Boote,
die in der Nacht hinausgefahren sind, kommen mit der Flut zurück. Auf dem Kai
stehen einige Leute und warten auf den Fang, der heute größer ist als in der
letzten Woche. Ein alter Fischer erzählt, dass früher mehr Schiffe hier lagen
und dass man am Abend die Lichter bis zum Leuchtturm sehen konnte.
""".replace("\n", " ").strip()


def test_german_is_judged_as_german(tmp_path, capsys):
    """English stop words reject all of it, and --languages de keeps what is
    left: nothing."""
    write_texts([GERMAN, GOOD], tmp_path / "in.jsonl")
    assert run(tmp_path, "--languages", "de") == [GERMAN]
    assert len(run(tmp_path, "--languages", "de", "en")) == 2
    assert run(tmp_path) != [GERMAN]


def test_a_rule_can_be_switched_off(tmp_path, capsys):
    """Rules have victims, and the only way around one is Python."""
    code = GOOD.replace("the price", "f(x) { return the price }")
    write_texts([code], tmp_path / "in.jsonl")
    assert run(tmp_path) == []
    assert len(run(tmp_path, "--without", "curly brackets", "masked")) == 1
    path = str(tmp_path / "in.jsonl")
    assert main(["clean", path, "--without", "curly", "--no-progress"]) == 2
    assert "no step 'curly'" in capsys.readouterr().err


def test_a_language_without_rules_says_so(tmp_path, capsys):
    """A corpus of Chinese that vanishes, as one word without stop words."""
    write_texts(["小城的港口清晨还笼罩在雾中。" * 5], tmp_path / "in.jsonl")
    run(tmp_path, "--languages", "zh")
    assert "cannot judge all of zh and are left out: words," in (
        capsys.readouterr().err
    )
    path = str(tmp_path / "in.jsonl")
    assert main(["clean", path, "--languages", "sw", "--no-progress"]) == 2
    assert "--without 'stop words'" in capsys.readouterr().err


def test_other_fields_survive(tmp_path):
    """An address and a licence that are lost with the first step."""
    rows = [
        {"id": n, "content": {"text": text, "url": "u"}, "licence": None}
        for n, text in enumerate([GOOD, SPAM, f"{GOOD} Bye."])
    ]
    path, out = tmp_path / "in.jsonl", tmp_path / "out.parquet"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["clean", str(path), "-o", str(out), "--no-progress"]
    assert main([*arguments, "--text-field", "content.text"]) == 0
    found = list(read_records(out, "content.text"))
    assert [each.fields["id"] for each in found] == [0, 2]
    for each in found:
        assert each.fields["content"] == {"text": each.text, "url": "u"}
        assert "[email]" in each.text


def test_bad_records_do_not_end_a_run(tmp_path, capsys):
    """An option that one of the commands lacks."""
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps({"text": GOOD}) + '\n{"text": null}\n')
    assert len(run(tmp_path, "--on-error", "skip")) == 1
    told = capsys.readouterr().err
    assert "1 record skipped" in told
    assert "line 2 of" in told
