"""Good documents pass, bad ones do not, and the funnel is told."""

from scratchlm.cli.program import main
from scratchlm.text.corpora.texts import read_texts, write_texts

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
    assert funnel[-1].split()[1:3] == ["1", "documents"]
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
