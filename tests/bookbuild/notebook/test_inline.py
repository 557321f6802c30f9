"""Roles and links in plain Markdown, one by one."""

import pytest

from bookbuild.notebook.inline import plain_inline

WORDINGS = {
    "{glue:text}`ratio:.1f`": "1.2",
    "{glue:text}`ratio`": "1.25",
    "{cite}`knuth`": "(Knuth, 1973)",
    "{cite:t}`knuth`": "Knuth (1973)",
    "{numref}`fig-x`": "Figure 1.2",
    "{ref}`fig-x`": "Figure 1.2",
    "{ref}`sec-x`": "A *title*",
    "{ref}`that one <sec-x>`": "that one",
    "{eq}`eq-x`": "(1.3)",
    "{doc}`two`": "[Two](two.ipynb)",
    "{doc}`/text/two`": "[Two](two.ipynb)",
    "{doc}`the start <../index>`": "the start",
    "{ref}`that\none <sec-x>`": "that one",
    "[site](https://example.org/a.md)": "[site](https://example.org/a.md)",
}

UNTOUCHED = [
    "``{ref}`fig-x` ``",
    "`{x}`",
    r"\{ref}`fig-x`",
    "price $5 and $6",
    "$\\{x\\}_{i}$",
    "$$a_{`b`}$$",
    "[a picture](https://example.org/x.png)",
]


@pytest.mark.parametrize(("source", "plain"), WORDINGS.items())
def test_each_role_has_a_plain_wording(context, source, plain):
    """A role that slips through shows its braces to the reader."""
    assert plain_inline(f"a {source}, b", context) == f"a {plain}, b"


@pytest.mark.parametrize("source", UNTOUCHED)
def test_code_and_math_stay_as_they_are(context, source):
    """Replacing inside code would change what the page quotes."""
    assert plain_inline(source, context) == source


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("{ref}`nowhere`", "refers to 'nowhere'"),
        ("{glue:text}`nothing:.1f`", "quotes 'nothing'"),
        ("{cite}`nobody-else`", "no entry 'nobody-else'"),
        ("{sparkle}`x`", "the role {sparkle}"),
        ("[two](two.md)", "use {doc}"),
        ("[](#fig-x)", "use {doc}"),
        ("![a picture](x.png)", "{glue:figure}"),
        ("<project:#sec-x>", "{ref}"),
    ],
)
def test_what_cannot_be_said_is_an_error(context, source, complaint):
    """A dropped word is worse than a failed build."""
    with pytest.raises(ValueError, match=complaint):
        plain_inline(source, context)
