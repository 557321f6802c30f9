"""Diagrams: what is drawn, where arrows end, equal bytes."""

import doctest
import io

import pytest

from scratchlm.book import diagram, style
from scratchlm.book.diagram import Diagram


def sketch():
    style.use()
    d = Diagram(columns=3, rows=2)
    a = d.box("text", (0, 0), note="str")
    b = d.box("ids", (2, 0), role="ours", look="filled", mono=True)
    c = d.box("later", (2, 1), look="dashed", note="two\nlines")
    d.box("bare", (0, 1), look="bare")
    d.arrow(a, b, "encode")
    d.arrow(b, c, "down", sides=("bottom", "top"), role="bad", both=True)
    d.group([a, b], "a group")
    d.label("free", (1, 1), role="limit")
    return d, a, b, c


def test_the_example_of_the_docstring_holds():
    """An example that nobody runs is the first thing to be wrong."""
    assert doctest.testmod(diagram).failed == 0


def test_equal_diagrams_are_equal_bytes():
    """A random id in the SVG makes each build differ."""
    made = []
    for _ in range(2):
        file = io.BytesIO()
        style.save(sketch()[0].figure, file, "svg")
        made.append(file.getvalue())
    assert made[0] == made[1]
    assert len(made[0]) > 5_000


def test_boxes_lie_on_the_grid_in_inches():
    """Unequal units would turn round corners into ellipses."""
    d, a, b, c = sketch()
    column = 5.3 / 3
    assert (a.x, a.y) == pytest.approx((column / 2, 0.4))
    assert (c.x - a.x, c.y - a.y) == pytest.approx((2 * column, 0.8))
    assert b.port("left", 0.1)[0] == pytest.approx(b.x - b.width / 2 - 0.1)
    assert tuple(d.figure.get_size_inches()) == pytest.approx((5.3, 1.6))


@pytest.mark.parametrize(
    ("sides", "corners"),
    [
        (("right", "left"), [(0, 0), (2, 0), (2, 2), (4, 2)]),
        (("bottom", "top"), [(0, 0), (0, 1), (4, 1), (4, 2)]),
        (("right", "top"), [(0, 0), (4, 0), (4, 2)]),
        (("bottom", "left"), [(0, 0), (0, 2), (4, 2)]),
    ],
)
def test_arrows_leave_and_arrive_at_right_angles(sides, corners):
    """A diagonal through a row of boxes crosses the words in them."""
    assert diagram._route((0, 0), (4, 2), sides) == corners


@pytest.mark.parametrize("sides", [("right", "left"), ("bottom", "top")])
def test_aligned_boxes_get_a_straight_arrow(sides):
    """Equal corners would draw a bend of no length and an odd head."""
    last = (4, 0) if sides[0] == "right" else (0, 4)
    assert diagram._route((0, 0), last, sides) == [(0, 0), last]


def test_impossible_requests_are_refused():
    """A grid of no cells divides by zero far from the mistake."""
    with pytest.raises(ValueError, match="0 by 2"):
        Diagram(columns=0, rows=2)
    with pytest.raises(ValueError, match="at least one"):
        Diagram(columns=1, rows=1).group([])
    with pytest.raises(ValueError, match="'nobody'"):
        Diagram(columns=1, rows=1).box("x", (0, 0), role="nobody")
