"""Cleaning: from crawled pages to text worth learning from."""

from scratchlm.text.cleaning.by_language import steps_for, without_rules
from scratchlm.text.cleaning.c4 import C4, LineRule, ends_a_sentence
from scratchlm.text.cleaning.gopher import (
    GOPHER,
    filled_lines,
    stop_word_rule,
)
from scratchlm.text.cleaning.html_bytes import decode_html
from scratchlm.text.cleaning.html_pages import (
    PAGE_TO_TEXT,
    drop_lines,
    html_to_text,
    recurring_lines,
)
from scratchlm.text.cleaning.languages import LanguageStep, load_identifier
from scratchlm.text.cleaning.messy_web import mangle, messy_pages
from scratchlm.text.cleaning.pipeline import PAGE_STEPS, Funnel, Outcome, clean
from scratchlm.text.cleaning.private_data import (
    MASKING,
    count_private_data,
    luhn,
    mask_private_data,
)
from scratchlm.text.cleaning.quality import (
    HashedNgrams,
    QualityClassifier,
    fit_logistic,
)
from scratchlm.text.cleaning.repair import REPAIR, repair_mojibake, repair_text
from scratchlm.text.cleaning.repetition import REPETITION, repeated_ngram_chars
from scratchlm.text.cleaning.roc import auc, roc_curve
from scratchlm.text.cleaning.steps import (
    Counted,
    Edit,
    Rejection,
    Rule,
    Step,
)

__all__ = [
    "C4",
    "GOPHER",
    "MASKING",
    "PAGE_STEPS",
    "PAGE_TO_TEXT",
    "REPAIR",
    "REPETITION",
    "Counted",
    "Edit",
    "Funnel",
    "HashedNgrams",
    "LanguageStep",
    "LineRule",
    "Outcome",
    "QualityClassifier",
    "Rejection",
    "Rule",
    "Step",
    "auc",
    "clean",
    "count_private_data",
    "decode_html",
    "drop_lines",
    "ends_a_sentence",
    "filled_lines",
    "fit_logistic",
    "html_to_text",
    "load_identifier",
    "luhn",
    "mangle",
    "mask_private_data",
    "messy_pages",
    "recurring_lines",
    "repair_mojibake",
    "repair_text",
    "repeated_ngram_chars",
    "roc_curve",
    "steps_for",
    "stop_word_rule",
    "without_rules",
]
