from scratchlm.foundation.extras import import_failure


def test_the_cause_and_the_remedy_are_one_line():
    """A package that was said not to be installed, and was: one that it
    imports was missing."""
    error = ImportError("lxml.html.clean is a project now.\nInstall it.")
    assert import_failure("reading HTML needs a parser", "data", error) == (
        "reading HTML needs a parser, which cannot be imported "
        "(lxml.html.clean is a project now. Install it.); "
        'run pip install "scratchlm[data]"'
    )


def test_what_needs_no_package_is_offered():
    """A reader sent to install what their machine cannot run."""
    error = ImportError("No module named 'ray'")
    said = import_failure("this needs Ray", "ray", error, "use one machine")
    assert said.endswith('"scratchlm[ray]", or use one machine')
