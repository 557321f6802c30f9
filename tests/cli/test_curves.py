"""Curves with gaps, without overlap, and equal where the runs are."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from scratchlm.cli.curves import Look, _apart, draw, running_mean, write

NAN = np.nan


def drawn(curves, **look):
    fig = draw(
        {
            name: (np.arange(len(ys), dtype=float), np.array(ys, float))
            for name, ys in curves.items()
        },
        Look(**{"x": "step", "y": "loss", **look}),
    )
    return fig, fig.axes[0]


def points(line):
    return np.asarray(line.get_ydata(), float).tolist()


def texts(ax):
    return [each.get_text() for each in ax.texts]


def test_each_line_has_its_name_and_each_axis_its_unit():
    """A picture that nobody can read a month later."""
    fig, ax = drawn({"a": [3, 2, 1], "b": [3, 2.5, 2]})
    assert ax.get_xlabel() == "step"
    assert ax.get_ylabel() == "loss (nats per token)"
    assert sorted(texts(ax)) == ["a", "b"]
    assert ax.get_legend() is None
    assert fig.get_facecolor() == (1, 1, 1, 1)
    _, ax = drawn({"a": [1, 2]}, x="tokens", y="something")
    assert ax.get_xlabel() == "tokens trained on"
    assert ax.get_ylabel() == "something"
    assert ax.xaxis.get_major_formatter()(5e6) == "5M"


def test_what_is_not_finite_is_a_gap():
    """A line drawn straight across the steps at which a run was broken."""
    _, ax = drawn({"a": [5, 4, NAN, 3, np.inf, 2, 1, -np.inf]})
    shown = points(ax.lines[0])
    assert np.isnan(shown).tolist() == [
        *(False, False, True, False),
        *(True, False, False, True),
    ]
    (name,) = ax.texts
    assert name.xy == (6, 1)  # the last that there is


def test_what_is_measured_now_and_then_is_joined():
    """Held-out losses of every fiftieth step, of which nothing is seen,
    since a line needs two neighbours."""
    values = [3, NAN, NAN, 2, NAN, NAN, 1, 0.9]
    _, ax = drawn({"a": values}, y="held_out")
    assert points(ax.lines[0]) == [3, 2, 1, 0.9]
    assert ax.lines[0].get_xdata().tolist() == [0, 3, 6, 7]
    assert ax.lines[0].get_marker() == "o"
    _, ax = drawn({"a": [2]})
    assert points(ax.lines[0]) == [2]


def test_smoothing_keeps_gaps_and_shows_the_rows_too():
    """A mean that is shifted, that fills gaps, or that hides a spike."""
    values = [4, 2, 6, NAN, 8, 10]
    _, ax = drawn({"a": values}, smooth=3)
    raw, smooth = ax.lines
    np.testing.assert_array_equal(points(raw), values)
    np.testing.assert_allclose(points(smooth), [3, 4, 4, NAN, 9, 9])
    assert raw.get_alpha() < 1
    assert raw.get_color() == smooth.get_color()


@pytest.mark.parametrize("width", [1, 2, 5, 8, 100, 10**9])
def test_the_running_mean_is_that_of_a_loop(width):
    """An end that is pulled to zero by what lies beyond it; memory for a
    window of a thousand rows at each of a million."""
    values = np.random.default_rng(0).standard_normal(9)
    values[[2, 8]] = NAN
    reach = min(width, 100)
    expected = [
        NAN
        if np.isnan(value)
        else np.nanmean(
            values[max(0, i - reach // 2) : i + (reach - 1) // 2 + 1]
        )
        for i, value in enumerate(values)
    ]
    np.testing.assert_allclose(running_mean(values, width), expected)


def test_a_small_loss_behind_a_large_one_keeps_its_digits():
    """A difference of sums over all rows: a spike of 1e18 and zeros after."""
    values = np.array([1e18, 1.0, 1.25, 1.5, 1.25])
    assert running_mean(values, 3)[2:].tolist() == [1.25, 4 / 3, 1.375]


def test_a_logarithmic_scale_takes_what_is_above_zero():
    """Zero drawn at the bottom edge as if it were a small value."""
    _, ax = drawn({"a": [3, 2, 0, 1, -1, 0.5, 0.6]}, log=True, y="norm")
    assert ax.get_yscale() == "log"
    shown = np.isnan(points(ax.lines[0])).tolist()
    assert shown == [False, False, True, False, True, False, False]


@pytest.mark.parametrize(
    ("values", "log", "said"),
    [
        ([NAN, np.inf], False, "loss of a has no value that is a number"),
        ([0.0, -1.0], True, "above 0; give no --log"),
    ],
)
def test_a_curve_without_a_value_is_told(values, log, said):
    """An empty picture."""
    with pytest.raises(ValueError, match=said):
        drawn({"a": values}, log=log)


def test_the_floor_is_a_line_with_its_value():
    """A floor that is taken for one of the runs."""
    _, ax = drawn({"a": [3, 2]}, floor=1.25)
    assert "floor 1.25" in texts(ax)
    assert points(ax.lines[1]) == [1.25, 1.25]
    assert ax.lines[1].get_linestyle() == "--"


@pytest.mark.parametrize("n", [1, 2, 5, 6, 12])
def test_colours_differ(n):
    """Two runs of one colour."""
    _, ax = drawn({str(i): [i, i + 1] for i in range(n)})
    assert len({to_hex(line.get_color()) for line in ax.lines}) == n


def test_names_are_apart_and_near_their_lines():
    """Ten names on one spot, where ten runs end alike."""
    assert _apart([0.0, 100.0]) == [0.0, 100.0]
    assert _apart([50.0, 50.0]) == [44.5, 55.5]
    assert _apart([0.0, 2.0, 4.0, 100.0]) == [-9, 2, 13, 100]
    placed = np.array(_apart([0.0, 0.0, 12.0, 12.0, 24.0, 24.0, 300.0]))
    assert (np.diff(placed) >= 11 - 1e-9).all()
    fig, ax = drawn({str(i): [2, 1 + i / 1e3] for i in range(10)})
    fig.draw_without_rendering()
    boxes = sorted(each.get_window_extent().y0 for each in ax.texts)
    assert (np.diff(boxes) > 10 * fig.dpi / 72).all()


@pytest.mark.parametrize(
    ("kind", "begins"),
    [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")],
)
def test_equal_runs_give_equal_bytes(tmp_path, kind, begins):
    """A date in the file, and a picture that changes when nothing did."""
    files = [tmp_path / f"{name}{kind}" for name in "ab"]
    for path in files:
        write(drawn({"a": [3, 2, 1]})[0], path)
    one, two = (path.read_bytes() for path in files)
    assert one == two
    assert one.startswith(begins)
