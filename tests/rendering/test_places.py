"""The YAML file of an architecture: what it may say, and what is told of one that says else."""

from __future__ import annotations

from pathlib import Path

import pytest

from universal_memory.rendering.places import ArchitectureFileError, Places


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_what_is_named_and_leaves_the_rest_open(tmp_path: Path) -> None:
    path = written(tmp_path / "a.yaml", "# ours\ntarget: mlp.fc_out  # down\nattention: attn\n")
    found = Places.load(path)
    assert found == Places(None, "mlp.fc_out", "attn")
    assert str(found) == "{blocks: ..., target: mlp.fc_out, attention: attn}"
    assert Places.load(written(path, str(Places("h", "fc", "attn")))) == Places("h", "fc", "attn")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds None, not a mapping of blocks, target, attention"),
        ("- blocks", r"holds \['blocks'\], not a mapping"),
        ("block: h", "the key 'block'; there are only blocks, target, attention"),
        ("target: 3", "target in .* is 3, not names joined by dots"),
        ("target: ...", r"target in .* is '\.\.\.', not names"),
        ("target: mlp fc", "target in .* is 'mlp fc', not names"),
        ("target: [", "is not YAML"),
        ("target: \x00", "is not YAML"),
    ],
)
def test_bad_files_are_refused_with_the_reason(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path / "a.yaml", text)
    with pytest.raises(ArchitectureFileError, match=told) as error:
        Places.load(path)
    assert str(path) in str(error.value) and "docs/new_model.md" in str(error.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchitectureFileError, match=r"cannot read .*none.yaml: No such file"):
        Places.load(tmp_path / "none.yaml")
