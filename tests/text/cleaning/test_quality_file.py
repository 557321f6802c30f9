"""A classifier that is saved is the same, or is refused by name."""

import json
import pickle

import numpy as np
import pytest

from scratchlm.text.cleaning import quality_file
from scratchlm.text.cleaning.quality import HashedNgrams, QualityClassifier

GOOD = ["the tide is out and the birds are back", "a boat in the harbour"]
BAD = ["buy cheap watches now", "best price click here now"]


@pytest.fixture
def classifier():
    features = HashedNgrams(n_features=512, orders=(1, 3))
    return QualityClassifier.train(GOOD, BAD, features=features)


def test_what_is_loaded_judges_alike(tmp_path, classifier):
    """A bias, an order of n-grams or a digit that is lost."""
    path = tmp_path / "quality.npz"
    classifier.save(path)
    classifier.save(path)
    loaded = QualityClassifier.load(str(path))
    assert loaded.features == classifier.features
    assert np.array_equal(
        loaded.logits(GOOD + BAD), classifier.logits(GOOD + BAD)
    )
    assert [each.name for each in tmp_path.iterdir()] == ["quality.npz"]


def test_every_kind_of_damage_is_named(tmp_path, classifier):
    """A cut copy that loads as another classifier."""
    path = tmp_path / "quality.npz"
    classifier.save(path)
    whole = path.read_bytes()
    for size in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"quality\.npz is not a class"):
            QualityClassifier.load(path)
    silent = 0
    for place in range(0, len(whole), 7):
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        path.write_bytes(flipped)
        try:
            loaded = QualityClassifier.load(path)
        except ValueError:
            continue
        silent += 1  # a date in the archive, or the like
        assert np.array_equal(loaded.weights, classifier.weights)
        assert loaded.bias == classifier.bias
    assert silent < len(whole) / 14


def test_another_file_is_refused(tmp_path, classifier, monkeypatch):
    """A file of a later version read as this one; code that runs."""
    path = tmp_path / "quality.npz"
    with pytest.raises(ValueError, match="there is no"):
        QualityClassifier.load(path)
    np.savez(path, weights=np.zeros(3))
    with pytest.raises(ValueError, match="lacks 'settings"):
        QualityClassifier.load(path)
    path.write_bytes(pickle.dumps({"weights": [1.0]}))
    with pytest.raises(ValueError, match="is not a classifier"):
        QualityClassifier.load(path)
    monkeypatch.setattr(quality_file, "VERSION", 2)
    classifier.save(path)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"its version is 2.*reads version 1"):
        QualityClassifier.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "its format is 'other'"),
        ({"sha256": "0"}, "weights were altered"),
        ({"bias": float("nan")}, "not finite"),
        ({"orders": [1.5]}, "its orders are"),
        ({"orders": []}, "orders"),
        ({"bias": None}, "is not a classifier"),
    ],
)
def test_settings_are_checked(tmp_path, classifier, change, message):
    """Settings that fit no classifier, found at the first text."""
    path = tmp_path / "quality.npz"
    classifier.save(path)
    with np.load(path) as parts:
        weights = parts["weights"]
        settings = json.loads(parts["settings"].tobytes()) | change
    about = np.frombuffer(json.dumps(settings).encode(), np.uint8)
    np.savez(path, settings=about, weights=weights)
    with pytest.raises(ValueError, match=message):
        QualityClassifier.load(path)


def test_an_error_keeps_the_old_file(tmp_path, classifier):
    """Half a file under the name of a whole one."""
    with pytest.raises(ValueError, match="has no folder"):
        classifier.save(tmp_path / "none" / "quality.npz")
    with pytest.raises(ValueError, match="is a folder"):
        classifier.save(tmp_path)
