"""The same text on every run, and no more of it than asked."""

import pytest

from scratchlm.text.corpora.interpreter import python_docs, python_source


@pytest.mark.untraced
def test_documents_are_the_same_each_time():
    """An order that depends on a set or on the file system."""
    for corpus in (python_docs, python_source):
        documents = list(corpus(300_000))
        assert documents == list(corpus(300_000))
        assert len(documents) > 3
        assert all(documents)


@pytest.mark.untraced
def test_limit_is_in_bytes():
    """A limit counted in characters, or overshot by one document."""
    for corpus in (python_docs, python_source):
        size = sum(len(text.encode()) for text in corpus(100_000))
        assert 20_000 < size <= 100_000
        assert not list(corpus(0))


def test_source_is_the_library_alone():
    """Twenty megabytes of the interpreter's own tests, or what a user
    installed, and another corpus on every machine."""
    source = list(python_source())
    assert sum(map(len, source)) > 5_000_000
    assert not any("class TestCase" in text[:10] for text in source)
    assert any("def nsmallest(" in text for text in source)
    assert sum(map(len, python_docs())) > 200_000


def test_files_that_are_not_utf8_are_left_out(tmp_path, monkeypatch):
    """One old file in Latin-1, and no corpus."""
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "b.py").write_text("skipped")
    (tmp_path / "a.py").write_bytes(b"caf\xe9")
    (tmp_path / "b.py").write_text("")
    (tmp_path / "c.py").write_text("kept")
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"stdlib": tmp_path})
    assert list(python_source()) == ["kept"]
