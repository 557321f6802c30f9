"""Unfinished work never passes for finished."""

import json

import pytest

from bookbuild.run import stages
from bookbuild.run.stages import Stage, StageError


def stage(build, inputs="a", **settings):
    return Stage(
        name="html",
        build=build,
        output=build / "html",
        inputs=inputs,
        **settings,
    )


def write_page(target):
    target.mkdir()
    (target / "index.html").write_text("page")


def test_a_stage_is_current_until_an_input_or_output_changes(tmp_path):
    """A stamp that trusts the inputs alone misses a deleted page."""
    assert not stage(tmp_path).is_current()
    stage(tmp_path).run(write_page)
    assert stage(tmp_path).is_current()
    assert not stage(tmp_path, "b").is_current()
    (tmp_path / "html/index.html").unlink()
    assert not stage(tmp_path).is_current()


def test_a_guest_may_come_and_go(tmp_path):
    """The PDF lands in the HTML folder after the HTML is stamped."""
    made = stage(tmp_path, guest="book.pdf")
    made.run(write_page)
    (tmp_path / "html/book.pdf").write_text("pdf")
    assert made.is_current()


def test_a_failed_run_keeps_the_old_output_without_its_stamp(tmp_path):
    """An interrupt in mid-write once left half a site with a stamp."""
    made = stage(tmp_path)
    made.run(write_page)

    def interrupted(target):
        target.mkdir()
        (target / "index.html").write_text("half a pa")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.run(interrupted)
    assert (tmp_path / "html/index.html").read_text() == "page"
    assert not made.is_current()
    assert not list(tmp_path.glob(".new-*"))


def test_a_stage_that_writes_nothing_fails(tmp_path):
    """A tool that exits 0 without output would be stamped as done."""
    with pytest.raises(StageError, match="nothing was written"):
        stage(tmp_path).run(lambda target: None)


def test_a_rerun_removes_what_is_no_longer_written(tmp_path):
    """Pages of deleted chapters stayed on the site."""
    made = stage(tmp_path)
    made.run(write_page)

    def other(target):
        target.mkdir()
        (target / "other.html").write_text("page")

    made.run(other)
    assert [p.name for p in (tmp_path / "html").iterdir()] == ["other.html"]


def test_a_broken_stamp_is_no_stamp(tmp_path):
    """A half-written stamp must not stop the build that would repair it."""
    made = stage(tmp_path)
    made.run(write_page)
    made.stamp.write_text("{")
    assert not made.is_current()


def test_single_files_count_by_their_size(tmp_path):
    """A file output is not a folder to walk."""
    made = Stage(
        name="one", build=tmp_path, output=tmp_path / "one", inputs="a"
    )
    made.run(lambda target: target.write_bytes(b"12"))
    assert made.is_current()
    made.output.write_bytes(b"123")
    assert not made.is_current()
    assert json.loads(made.stamp.read_text())["inputs"] == "a"


def test_the_inputs_include_the_commit(tiny_book, monkeypatch):
    """The colophon prints the commit, so that a new one needs new pages."""
    root = tiny_book.root
    hashes = [stages.input_hash(root)]
    tiny_book.write("book/text/one.md", "changed")
    hashes.append(stages.input_hash(root))
    monkeypatch.setattr(stages, "_commit", lambda root: "another")
    hashes.append(stages.input_hash(root))
    assert len(set(hashes)) == 3


def test_no_git_is_no_commit(tmp_path, monkeypatch):
    """A source archive on a machine without git must still build."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert stages._commit(tmp_path) == ""


def test_two_builds_do_not_share_a_folder(tmp_path):
    """Two builds at once would swap each other's half-made outputs in."""
    build = tmp_path / "_build"
    with (
        stages.only_build(build),
        pytest.raises(StageError, match="wait until it ends"),
        stages.only_build(build),
    ):
        pytest.fail("the second build went ahead")


def test_leftovers_of_a_killed_build_are_swept(tmp_path):
    """A kill leaves its temporary folder, which nobody else removes."""
    build = tmp_path / "_build"
    (build / ".new-abc" / "html").mkdir(parents=True)
    (build / "html").mkdir()
    (build / "html" / ".new-file").write_text("")
    (build / "html" / ".page.x1y2.partial").write_text("")
    with stages.only_build(build):
        pass
    assert not list(build.rglob(".new-*"))
    assert not list(build.rglob("*.partial"))
