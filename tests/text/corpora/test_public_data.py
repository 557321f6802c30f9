"""Pinned bytes or one clear error; the web is a folder or a local server."""

import hashlib
import os
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow
import pyarrow.parquet
import pytest

from scratchlm.text.corpora import public_data
from scratchlm.text.corpora.public_data import (
    FINEWEB_EDU,
    GPT2_MERGES,
    GPT2_VOCAB,
    HUB_DATASETS,
    TINY_SHAKESPEARE,
    TINYSTORIES,
    Download,
    HubDataset,
    data_folder,
)
from scratchlm.text.corpora.texts import read_texts, write_texts

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def server():
    """A web server of one file, that can also fail."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path != "/gone" else 404)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            cut = 100_000 if self.path == "/cut" else None
            self.wfile.write(CONTENT[:cut])

        do_HEAD = do_GET

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def a_file(url, content=CONTENT):
    return Download(
        name="file.bin",
        url=url,
        sha256=hashlib.sha256(content).hexdigest(),
        n_bytes=len(content),
        local_name="local.bin",
    )


def test_a_download_is_kept_and_not_repeated(tmp_path, server, capsys):
    """Fetched anew by each run, or shown as finished before it is."""
    item = a_file(f"{server}/file")
    cache = tmp_path / "new" / "cache"
    path = item.fetch(cache)
    assert path.read_bytes() == CONTENT
    assert "256k" in capsys.readouterr().err
    gone = replace(item, url=f"{server}/gone")
    assert gone.fetch(cache, progress=False) == path
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("page", ["cut", "other"])
def test_other_bytes_are_refused_and_not_kept(tmp_path, server, page):
    """A connection that breaks, or a file that changed, becomes the data of
    every later run."""
    content = CONTENT if page == "cut" else CONTENT + b"!"
    item = a_file(f"{server}/{page}", content)
    with pytest.raises(ValueError, match=r"sent .* bytes of sha256 .* not"):
        item.fetch(tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_an_altered_file_is_refused_and_left(tmp_path, server):
    """A check on download alone; the file may change later. Whoever changed
    it may want it."""
    item = a_file(f"{server}/file")
    for name, where in [
        ("file.bin", {}),
        ("local.bin", {"folder": tmp_path}),
    ]:
        (tmp_path / name).write_bytes(b"mine")
        with pytest.raises(ValueError, match=f"{name} is not the file it"):
            item.fetch(tmp_path, progress=False, **where)
        assert (tmp_path / name).read_bytes() == b"mine"


def test_local_data_needs_no_network(tmp_path):
    """A machine that has the file asks the network anyway."""
    item = a_file("http://127.0.0.1:9/nobody-listens")
    (tmp_path / "local.bin").write_bytes(CONTENT)
    cache = tmp_path / "cache"
    assert item.fetch(cache, folder=tmp_path) == tmp_path / "local.bin"
    assert not cache.exists()
    with pytest.raises(ValueError, match="not the file"):
        replace(item, sha256="0").fetch(cache, folder=tmp_path)
    other = replace(item, sha256="0", equivalent=item.sha256)
    assert other.fetch(cache, folder=tmp_path) == tmp_path / "local.bin"


@pytest.mark.parametrize("page", ["/gone", None])
def test_offline_is_one_error_that_says_what_to_do(tmp_path, server, page):
    """A traceback of forty lines out of the standard library."""
    url = f"{server}{page}" if page else "http://127.0.0.1:9/"
    message = r"cannot fetch http\S+: .*'local\.bin'.* SCRATCHLM_DATA"
    with pytest.raises(ConnectionError, match=message):
        a_file(url).fetch(tmp_path, progress=False, timeout=5.0)
    assert list(tmp_path.iterdir()) == []


def test_the_environment_is_read_at_the_edge_only(tmp_path):
    """A slip in the variable that silently means: no local data."""
    assert data_folder({}) is None
    assert data_folder({"SCRATCHLM_DATA": ""}) is None
    assert data_folder({"SCRATCHLM_DATA": str(tmp_path)}) == tmp_path
    with pytest.raises(ValueError, match="is no folder"):
        data_folder({"SCRATCHLM_DATA": str(tmp_path / "none")})


@pytest.mark.parametrize(
    "item", [TINY_SHAKESPEARE, GPT2_VOCAB, GPT2_MERGES], ids=lambda i: i.name
)
def test_the_pinned_hashes_are_those_of_the_files(tmp_path, item):
    """A hash that was typed, not computed."""
    folder = data_folder(os.environ)
    if folder is None or not (folder / item.local_name).is_file():
        pytest.skip("SCRATCHLM_DATA names no folder that has the file")
    path = item.fetch(tmp_path, folder=folder)
    missing = b"#version: 0.2\n" if item.equivalent else b""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() == item.equivalent:
        data = missing + data
    assert hashlib.sha256(data).hexdigest() == item.sha256
    assert len(data) == item.n_bytes


def test_the_hashes_of_gpt2_are_those_that_tiktoken_checks():
    """Two files from OpenAI, and OpenAI's library says which bytes."""
    import inspect

    from tiktoken_ext import openai_public

    source = inspect.getsource(openai_public.gpt2)
    for item in (GPT2_VOCAB, GPT2_MERGES):
        assert item.url in source
        assert item.sha256 in source


def test_data_sets_are_pinned_to_commits():
    """'main' is another data set next year."""
    assert set(HUB_DATASETS) == {"tinystories", "fineweb-edu"}
    for each in HUB_DATASETS.values():
        assert len(bytes.fromhex(each.revision)) == 20


@pytest.fixture
def on_disk(tmp_path, monkeypatch, server):
    """A data set that the real library streams from a folder."""
    (tmp_path / "repo" / "data").mkdir(parents=True)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server)
    pyarrow.parquet.write_table(
        pyarrow.table({"story": [f"é {i}" for i in range(50)]}),
        tmp_path / "repo" / "data" / "train-00000.parquet",
    )
    return HubDataset(
        name="mine",
        repository=str(tmp_path / "repo"),
        revision="0" * 40,
        column="story",
    )


def test_a_data_set_is_streamed(on_disk):
    """Documents out of order, or a whole data set loaded first."""
    texts = on_disk.texts()
    assert next(texts) == "é 0"
    assert list(texts) == [f"é {i}" for i in range(1, 50)]


def test_fields_come_with_the_texts(on_disk, tmp_path):
    """A question without its choices; or other fields from a folder than
    from the Hub."""
    due = {"story": "é 7", "gold": [1, 2]}
    path = tmp_path / "repo" / "data" / "train-00000.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([due]), path)
    (tmp_path / "mine").mkdir()
    pyarrow.parquet.write_table(
        pyarrow.Table.from_pylist([due]), tmp_path / "mine" / "a.parquet"
    )
    for folder in (None, tmp_path):
        (record,) = on_disk.records(folder)
        assert record.text == "é 7"
        assert record.fields == due


def test_what_a_data_set_lacks_is_said(on_disk):
    """KeyError: 'text'."""
    with pytest.raises(ValueError, match=r"no column 'text'; .* 'story'"):
        list(replace(on_disk, column="text").texts())
    with pytest.raises(ValueError, match="nosuch"):
        list(replace(on_disk, split="nosuch").texts())


def test_revision_subset_and_split_reach_the_library(monkeypatch, server):
    """A pin that is stored and not passed on."""
    seen = {}

    def load_dataset(repository, **options):
        seen.update(options, repository=repository)
        return [{"text": "a"}]

    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server)
    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    assert list(FINEWEB_EDU.texts()) == ["a"]
    assert seen == {
        "repository": "HuggingFaceFW/fineweb-edu",
        "name": "sample-10BT",
        "split": "train",
        "revision": FINEWEB_EDU.revision,
        "streaming": True,
    }


def test_an_unreachable_hub_is_one_error(monkeypatch, server):
    """Half a minute of retries, and a traceback that says DNS."""
    message = "cannot fetch roneneldan/TinyStories: .*'tinystories'.*folder="
    monkeypatch.setattr(
        "huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9"
    )
    with pytest.raises(ConnectionError, match=message):
        list(TINYSTORIES.texts())

    def break_off(*args, **options):
        yield {"text": "a"}
        raise ConnectionError("lost")

    for endpoint in [server, f"{server}/gone"]:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        monkeypatch.setattr("datasets.load_dataset", break_off)
        texts = TINYSTORIES.texts()
        assert next(texts) == "a"
        with pytest.raises(ConnectionError, match=message):
            next(texts)


def test_a_folder_stands_for_the_hub(tmp_path, monkeypatch):
    """Another order, or another column, than the original."""

    def refuse():
        raise AssertionError("asked the network")

    monkeypatch.setattr(public_data, "_import_datasets", refuse)
    (tmp_path / "tinystories").mkdir()
    write_texts(["a", "b"], tmp_path / "tinystories" / "1.parquet")
    assert list(TINYSTORIES.texts(tmp_path)) == ["a", "b"]
    assert list(read_texts(tmp_path / "tinystories")) == ["a", "b"]
    with pytest.raises(AssertionError):
        list(FINEWEB_EDU.texts(tmp_path))


def test_without_datasets_the_extra_is_named(monkeypatch):
    """A ModuleNotFoundError tells nobody what to install."""
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match=r"scratchlm\[data\]"):
        list(TINYSTORIES.texts())
