#!/usr/bin/env bash
# Package: pip 23.2.1, with justext 3.0.2 and lxml 6.1.3.
#
# justext asks for "lxml[html_clean]", the extra of lxml that installs the
# package lxml_html_clean. The metadata of lxml 6 spell that extra
# "html-clean". Both names are the same extra, since names are to be
# normalised before they are compared. This pip compares them as they are
# spelt: it warns that lxml has no such extra, leaves out lxml_html_clean, and
# ends with success. Then "import justext" raises an ImportError. pip 23.3
# compares normalised names, and installs all three.
#
# It bites whoever makes an environment with Python 3.11.5 to 3.11.7, 3.12.0
# or 3.12.1, which bring pip 23.2.1, and installs trafilatura, which needs
# justext.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"

# try PIP: install with that pip, then say how the import ends.
try() {
    "$python" -m pip --quiet install "pip==$1"
    "$python" -m pip --quiet uninstall --yes justext lxml lxml_html_clean \
        2>/dev/null
    "$python" -m pip install "justext==3.0.2" "lxml==6.1.3" \
        >"$folder/said" 2>&1
    echo "pip $1:"
    grep 'does not provide the extra' "$folder/said" || true
    "$python" -c 'import justext; print("justext is imported")' 2>&1 |
        tail -n 2 | tee "$folder/import"
}

try 23.2.1
grep -q "does not provide the extra 'html" "$folder/said"
grep -q '^ImportError' "$folder/import"
try 23.3
grep -q '^justext is imported' "$folder/import"
echo "As found."
