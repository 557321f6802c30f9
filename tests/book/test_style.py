"""The figures' style: one face, distinct colours, equal bytes."""

import io
import itertools
import json

import matplotlib as mpl
import nbformat
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from nbclient import NotebookClient

from scratchlm.book import style

# Source: Machado, Oliveira and Fernandes 2009, severity 1.
SIGHT = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
PAPER = {"light": "#fdfcfa", "dark": "#14171c"}


@pytest.fixture(autouse=True)
def styled():
    with mpl.rc_context():
        style.use()
        yield


def linear(rgb):
    return np.where(
        rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4
    )


def on_page(colour, theme):
    """What the reader sees: dark pages apply invert and hue-rotate(180)."""
    rgb = np.array(to_rgb(colour))
    if theme == "light":
        return rgb
    turn = np.array(
        [[-0.574, 1.430, 0.144], [0.426, 0.430, 0.144], [0.426, 1.430, -0.856]]
    )
    return np.clip(turn @ (1 - rgb), 0, 1)


def lab(light):
    xyz = (
        np.array(
            [
                [0.4124, 0.3576, 0.1805],
                [0.2126, 0.7152, 0.0722],
                [0.0193, 0.1192, 0.9505],
            ]
        )
        @ light
        / np.array([0.95047, 1.0, 1.08883])
    )
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array(
        [116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])]
    )


def contrast(rgb, page):
    def luminance(c):
        return float(linear(np.asarray(c)) @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(rgb), luminance(to_rgb(page))))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", PAPER)
@pytest.mark.parametrize("sight", SIGHT)
def test_roles_stay_apart_for_every_reader(sight, theme):
    """Green and grey of one lightness are one colour to a deutan reader."""
    matrix = np.array(SIGHT[sight])
    seen = {
        role: lab(np.clip(matrix @ linear(on_page(hue, theme)), 0, 1))
        for role, hue in style.ROLES.items()
    }
    for one, two in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[two]) >= 20, (one, two)


@pytest.mark.parametrize("theme", PAPER)
def test_lines_and_their_names_can_be_read(theme):
    """A pale line, or its name in small pale letters, is lost on paper."""
    for hue in style.ROLES.values():
        page = PAPER[theme]
        assert contrast(on_page(hue, theme), page) >= 3
        shade = style.text_shade(hue)
        assert contrast(on_page(shade, theme), page) >= 4.5, (hue, shade)


def test_sequence_has_an_order_and_is_dark_enough():
    """The light end of a colour map is invisible on white."""
    shades = style.sequence(6)
    lights = [lab(linear(np.array(to_rgb(c))))[0] for c in shades]
    assert lights == sorted(lights)
    assert len(set(shades)) == 6
    assert all(contrast(to_rgb(c), "#ffffff") >= 2.5 for c in shades)


def test_unknown_names_are_refused():
    """A misspelt role that falls back to a default changes the meaning."""
    with pytest.raises(ValueError, match=r"'our'.*ours, reference"):
        style.colour("our")
    with pytest.raises(ValueError, match=r"'page'.*text or wide"):
        style.figure("page")
    with pytest.raises(ValueError, match=r"sequence\(0\)"):
        style.sequence(0)


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_equal_figures_are_equal_bytes(kind):
    """A date or a random id in the file makes each build differ."""
    made = []
    for _ in range(2):
        fig, ax = style.figure(height=2)
        (line,) = ax.plot([1, 2, 4], label="ours")
        style.label_line(ax, line)
        ax.set_title("東京 $\\sqrt{H}$")
        file = io.BytesIO()
        style.save(fig, file, kind)
        made.append(file.getvalue())
    assert made[0] == made[1]
    assert b"Date" not in made[0]


def test_a_figure_is_as_wide_as_it_says():
    """Cropping to the ink gives every figure a scale of its own."""
    fig, _ = style.figure("text", 2.0)
    file = io.BytesIO()
    style.save(fig, file, "svg")
    assert b'width="381.6pt" height="144pt"' in file.getvalue()


def test_the_text_is_set_in_the_books_face(caplog):
    """Without its file matplotlib falls back to DejaVu and logs, once."""
    fig, ax = style.figure()
    ax.set_title("Bold 東京 🙂")
    ax.set_xlabel("italic 東", style="italic")
    file = io.BytesIO()
    style.save(fig, file, "pdf")
    assert b"BytesSerif-Bold" in file.getvalue()
    assert b"BytesFallback" in file.getvalue()
    assert b"DejaVu" not in file.getvalue()
    assert "findfont" not in caplog.text


def test_labels_stand_at_the_line():
    """A label at the wrong point names another line where two cross."""
    _, ax = style.figure()
    (line,) = ax.plot([0, 1, 2], [5, 6, 9], label="name")
    assert style.label_line(ax, line).xy == (2, 9)
    left = style.label_line(ax, line, "other", x=0.9, offset=(-4, 0))
    assert (left.xy, left.get_ha(), left.get_text()) == (
        (1, 6),
        "right",
        "other",
    )
    (empty,) = ax.plot([], [])
    with pytest.raises(ValueError, match="no points"):
        style.label_line(ax, empty)


def test_a_notebook_shows_svg_and_pdf_once():
    """The inline backend resets the formats when pyplot comes later."""
    cells = [
        "from scratchlm.book import style\nstyle.use()",
        "fig, ax = style.figure()\nline = ax.plot([1, 2])",
        "fig",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells]
    )
    NotebookClient(notebook, kernel_name="python3").execute()
    outputs = [cell.outputs for cell in notebook.cells]
    assert [len(found) for found in outputs] == [0, 0, 1, 1]
    for found in outputs[2:]:
        data = found[0]["data"]
        assert set(data) == {
            "text/plain",
            "image/svg+xml",
            "application/pdf",
        }, json.dumps(list(data))
        assert 'width="381.6pt"' in data["image/svg+xml"]


def test_a_shells_figures_are_undated_and_uncropped():
    """The backend's own formatters stamp the time and crop to the ink."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        style.use()
        fig, ax = style.figure(height=1)
        ax.plot([1, 2])
        data, _ = shell.display_formatter.format(fig)
    finally:
        InteractiveShell.clear_instance()
    assert {"image/svg+xml", "application/pdf"} < set(data)
    assert "image/png" not in data
    assert "<dc:date>" not in data["image/svg+xml"]
    assert 'width="381.6pt" height="72pt"' in data["image/svg+xml"]
