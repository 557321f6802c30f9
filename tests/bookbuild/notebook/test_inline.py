"""Roles and links in plain Markdown, one by one."""

import pytest

from bookbuild.notebook.inline import plain_inline

WORDINGS = {
    "{glue:text}`ratio:.1f`": "1.2",
    "{glue:text}`ratio`": "1.25",
    "{glue}`word`": "cat",
    "{cite}`knuth`": "(Knuth, 1973)",
    "{cite:p}`knuth`": "(Knuth, 1973)",
    "{cite:alp}`knuth`": "(Knuth, 1973)",
    "{cite:t}`knuth`": "Knuth (1973)",
    "{numref}`fig-x`": "Figure 1.2",
    "{numref}`Fig. %s <fig-x>`": "Fig. 1.2",
    "{numref}`{number}: {name} <sec-x>`": "1.5: A *title*",
    "{ref}`fig-x`": "Figure 1.2",
    "{ref}`sec-x`": "A *title*",
    "{ref}`that one <sec-x>`": "that one",
    "{prf:ref}`ex-x`": "Exercise 1.4",
    "{eq}`eq-x`": "(1.3)",
    "{doc}`two`": "[Two](two.ipynb)",
    "{doc}`/text/two`": "[Two](two.ipynb)",
    "{doc}`the start <../index>`": "the start",
    "{py:class}`~scratchlm.text.tokenizer.bpe.BPETokenizer`": "`BPETokenizer`",
    "{py:func}`scratchlm.f`": "`scratchlm.f`",
    "{kbd}`Ctrl+C`": "`Ctrl+C`",
    "{math}`x^2`": "$x^2$",
    "{sub}`2`": "<sub>2</sub>",
    "{term}`merge <merges>`": "merge",
    "{index}`merge`": "merge",
    "{abbr}`BPE (byte-pair encoding)`": (
        '<abbr title="byte-pair encoding">BPE</abbr>'
    ),
    "{abbr}`BPE`": "BPE",
    "{ref}`that\none <sec-x>`": "that one",
    "[](#fig-x)": "Figure 1.2",
    "[see {eq}`eq-x`](#fig-x)": "see (1.3)",
    "<project:#sec-x>": "A *title*",
    "[two](two.md)": "[two](two.ipynb)",
    "[](two.md#part)": "[Two](two.ipynb)",
    "[start](../index.md)": "start",
    "[site](https://example.org/a.md)": "[site](https://example.org/a.md)",
    "[words]{.wide}": "[words]",
    "`code`{.python}": "`code`",
}

UNTOUCHED = [
    "``{ref}`fig-x` ``",
    "`{x}`",
    r"\{ref}`fig-x`",
    "price $5 and $6",
    "$\\{x\\}_{i}$",
    "$$a_{`b`}$$",
    "![a picture](x.png)",
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
    ],
)
def test_what_cannot_be_said_is_an_error(context, source, complaint):
    """A dropped word is worse than a failed build."""
    with pytest.raises(ValueError, match=complaint):
        plain_inline(source, context)
