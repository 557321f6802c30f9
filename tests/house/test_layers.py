"""The linter's layers are the chapters, in the order of the contents."""

import tomllib

import yaml


def chapters_of(root, part):
    """Name the folders of a part's chapters, in reading order."""
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf8"))
    files = [
        entry["file"] for part in toc["parts"] for entry in part["chapters"]
    ]
    own = [name for name in files if name.startswith(f"{part}/")]
    return [name.partition("/")[2].replace("-", "_") for name in own]


def layers(root):
    """Return the layers of each part, from its first chapter to its last."""
    settings = tomllib.loads((root / "pyproject.toml").read_text("utf8"))
    return {
        contract["containers"][0].removeprefix("scratchlm."): [
            layer.strip("()") for layer in reversed(contract["layers"])
        ]
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract.get("containers", ["scratchlm"]) != ["scratchlm"]
    }


def test_layers_follow_the_contents(root):
    """A chapter that moves in the contents would go on to import what its
    reader has not met yet."""
    found = layers(root)
    assert {"text", "model", "training"} <= found.keys()
    assert found == {part: chapters_of(root, part) for part in found}


def test_each_part_with_chapters_has_its_layers(root):
    """A new part without a contract may import anything."""
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf8"))
    files = [
        entry["file"] for part in toc["parts"] for entry in part["chapters"]
    ]
    parts = {name.partition("/")[0] for name in files if "/" in name}
    assert parts == layers(root).keys()
