import pytest

from scratchlm.text.tokenizer.normalizers import (
    UnicodeForm,
    normalizer_rule,
    read_normalizers,
)

NFD, NFKC = {"type": "NFD"}, {"type": "NFKC"}


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (None, "\ufb01e\u0301"),
        ({"type": "NFC"}, "\ufb01\u00e9"),
        (NFD, "\ufb01e\u0301"),
        (NFKC, "fi\u00e9"),
        ({"type": "NFKD"}, "fie\u0301"),
        ({"type": "Sequence", "normalizers": [NFKC, NFD]}, "fie\u0301"),
    ],
)
def test_forms_are_read_and_written(rule, text):
    """The first of a sequence alone, or one that is lost when saved."""
    found = read_normalizers(rule)
    spelled = "\ufb01e\u0301"
    for normalizer in found:
        spelled = normalizer(spelled)
    assert spelled == text
    assert normalizer_rule(found) == rule


def test_others_are_refused():
    """Text in lower case here, and in upper case there."""
    nested = {"type": "Sequence", "normalizers": [NFD, {"type": "Strip"}]}
    with pytest.raises(ValueError, match="Strip"):
        read_normalizers(nested)
    with pytest.raises(ValueError, match="'NFX' is no normal form"):
        UnicodeForm("NFX")
