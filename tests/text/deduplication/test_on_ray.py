"""A cluster of two local workers keeps what one process keeps."""

import sys
from types import ModuleType

import numpy as np
import pytest

from scratchlm.text.corpora.interpreter import python_source
from scratchlm.text.deduplication.on_ray import Columns, deduplicate_dataset
from scratchlm.text.deduplication.pipeline import DedupConfig, deduplicate

COLUMNS = Columns(text="body", id="name")


class Rows:
    """The methods of a Ray dataset that are needed, in this process."""

    def __init__(self, *blocks):
        self.blocks = blocks

    def columns(self):
        return list(self.blocks[0]) if self.blocks else None

    def select_columns(self, names):
        return Rows(*({n: b[n] for n in names} for b in self.blocks))

    def map_batches(self, function, batch_format):
        assert batch_format == "numpy"
        return Rows(*map(function, self.blocks))

    def iter_batches(self, batch_format, batch_size):
        assert (batch_format, batch_size) == ("numpy", None)
        yield from self.blocks

    def groupby(self, key, num_partitions):
        every = {n: np.concatenate([b[n] for b in self.blocks])
                 for n in self.columns()}  # fmt: skip
        shuffled = np.random.default_rng(0).permutation(len(every[key]))
        every = {n: column[shuffled] for n, column in every.items()}
        groups = (every[key] == value for value in np.unique(every[key]))
        return Groups({n: c[g] for n, c in every.items()} for g in groups)

    def kept(self):
        names, bodies = (
            np.concatenate([block[name] for block in self.blocks])
            for name in ("name", "body")
        )
        return dict(zip(names.tolist(), bodies.tolist(), strict=True))


class Groups(list):
    def map_groups(self, function, batch_format):
        assert batch_format == "numpy"
        return Rows(*map(function, self))


@pytest.fixture
def no_cluster(monkeypatch):
    """Ray looks installed, and is not used."""
    for name in ("ray", "ray.data"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))


@pytest.fixture(scope="module")
def texts():
    """Source files, some of them again: as they are, cut, with new lines."""
    files = [text[:3000] for text in python_source(1_500_000)][:60]
    cut = [text[200:] for text in files[::3]]
    loud = [text.upper() for text in files[::7]]
    longer = [text + "\nprint('one more line')\n" for text in files[::5]]
    return [*files, *cut, "", *loud, "!", *longer]


def ids_of(texts):
    """Identifiers that are no places, and not in order."""
    return [1000 - 7 * i for i in range(len(texts))]


def expected(texts, config):
    """What one process keeps of the texts in the order of their ids."""
    ordered = sorted(zip(ids_of(texts), texts, strict=True))
    kept = deduplicate([text for _, text in ordered], config).kept
    assert 60 <= len(kept) < len(texts) - 20
    return {ordered[i][0]: ordered[i][1] for i in kept}


@pytest.mark.parametrize(
    "config",
    [
        DedupConfig(bands=20, rows=5),
        DedupConfig(bands=20, rows=5, verify=True),
        DedupConfig(bands=20, rows=5, keep="longest"),
        DedupConfig(bands=56, rows=2, keep="longest", verify=True),
    ],
)
@pytest.mark.parametrize("partitions", [1, 64])
def test_blocks_and_groups_change_nothing(
    no_cluster, texts, config, partitions
):
    """Links lost in the shuffle, ids taken for places, a rule that ranks
    documents within their block, or an exact test in one block only."""
    blocks = [
        {
            "name": np.array(ids_of(texts)[i : i + 20]),
            "body": np.array(texts[i : i + 20], object),
        }
        for i in range(0, len(texts), 20)
    ]
    result = deduplicate_dataset(
        Rows(*blocks), config, columns=COLUMNS, partitions=partitions
    )
    assert result.kept() == expected(texts, config)


def test_nothing_to_drop(no_cluster):
    """No link at all, and so no block of links to read."""
    rows = {"name": np.arange(2), "body": np.array(["a", "b"], object)}
    for keep in ("first", "longest"):
        config = DedupConfig(keep=keep, verify=True)
        result = deduplicate_dataset(Rows(rows), config, columns=COLUMNS)
        assert result.kept() == {0: "a", 1: "b"}


def test_bad_input_is_named(no_cluster):
    """A column of another name, found by a worker after an hour."""
    rows = Rows({"name": np.arange(2)})
    with pytest.raises(ValueError, match=r"no column \['text', 'id'\]"):
        deduplicate_dataset(rows)
    with pytest.raises(ValueError, match="partitions is 0"):
        deduplicate_dataset(rows, partitions=0)


def test_without_ray_the_extra_is_named(monkeypatch):
    """An import error from the middle of the package."""
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(ValueError, match=r"scratchlm\[ray\]"):
        deduplicate_dataset(Rows())


@pytest.fixture
def cluster(tmp_path):
    ray = pytest.importorskip("ray", reason='pip install "scratchlm[ray]"')
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # The path of a socket holds 107 bytes, and Ray's own part takes 64.
    fits = len(str(tmp_path)) < 40
    options = {
        "num_cpus": 2,
        "include_dashboard": False,
        "log_to_driver": False,
        "object_store_memory": 200_000_000,
        # A worker takes seconds to start, and would be ended after one; on
        # a busy machine Ray's agents take more than the 15 allowed.
        "_system_config": {
            "idle_worker_killing_time_threshold_ms": 600_000,
            "agent_register_timeout_ms": 120_000,
        },
        **({"_temp_dir": str(tmp_path)} if fits else {}),
    }
    try:
        ray.init(**options)
    except Exception:  # nor is a node always up in the 30 that it has
        ray.shutdown()
        ray.init(**options)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray
    ray.shutdown()
    patch.undo()


@pytest.mark.slow  # a cluster starts
@pytest.mark.untraced
def test_two_workers_keep_what_one_process_keeps(cluster, texts):
    """What the stand-in above cannot know: types that Arrow changes, blocks
    without rows, functions that do not reach another process."""
    config = DedupConfig(bands=20, rows=5, keep="longest", verify=True)
    rows = [
        {"name": i, "body": text, "size": len(text)}
        for i, text in zip(ids_of(texts), texts, strict=True)
    ]
    dataset = cluster.data.from_items(rows, override_num_blocks=3)
    result = deduplicate_dataset(
        dataset, config, columns=COLUMNS, partitions=2
    )
    kept = {row["name"]: row["body"] for row in result.take_all()}
    assert kept == expected(texts, config)
    assert set(result.columns()) == {"name", "body", "size"}
