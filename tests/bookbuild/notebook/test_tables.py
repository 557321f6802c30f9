"""Table directives as pipe tables."""

from bookbuild.notebook.tables import csv_table, list_table


def test_a_list_table_keeps_rows_cells_and_wrapped_lines():
    """The second line of a wrapped cell was once a cell of its own."""
    body = "* - a\n  - b\n* - long\n    cell\n  -\n"
    assert list_table(body, {"header-rows": "1"}) == (
        "| a | b |\n| --- | --- |\n| long cell |  |"
    )


def test_a_table_without_header_gets_an_empty_one():
    """Markdown has no table without a header."""
    assert list_table("- * a\n  * b\n", {}) == (
        "|  |  |\n| --- | --- |\n| a | b |"
    )


def test_a_csv_table_takes_its_header_from_either_option():
    """``:header:`` holds the cells, ``:header-rows:`` counts them."""
    expected = "| x | y |\n| --- | --- |\n| 1, 2 | 3 |"
    assert csv_table('"1, 2", 3', {"header": "x, y"}) == expected
    body = 'x, y\n"1, 2", 3'
    assert csv_table(body, {"header-rows": "1"}) == expected
