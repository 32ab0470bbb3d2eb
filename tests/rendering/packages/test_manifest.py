"""Any bytes give a valid manifest or a refusal with its reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_packages import SPACE, tiny_identity

from universal_memory.rendering.packages.manifest import (
    FileEntry,
    Manifest,
    PackageError,
    signed_bytes,
)

MANIFEST = Manifest(
    "tiny",
    SPACE,
    tiny_identity(),
    (2, 3),
    (1, 2, 3),
    {"held_out_1": 0.5},
    {"renderer.safetensors": FileEntry(9, "0" * 64), "README.md": FileEntry(1, "a" * 64)},
)


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(MANIFEST.to_bytes())
    change(value)
    return json.dumps(value).encode()


def test_comes_back_as_it_was() -> None:
    assert Manifest.from_bytes(MANIFEST.to_bytes()) == MANIFEST


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("version", lambda m: m.pop("ump_renderer")),
        ("version", lambda m: m.update(ump_renderer="2")),
        ("manifest", lambda m: m.pop("scores")),
        ("manifest", lambda m: m.update(post_install="rm -rf /")),
        ("manifest", lambda m: m.update(name="../smollm2")),
        ("manifest", lambda m: m.update(name="")),
        ("manifest", lambda m: m.update(name=".hidden")),
        ("manifest", lambda m: m.update(name=["tiny"])),
        ("space", lambda m: m.update(space_id="a space")),
        ("manifest", lambda m: m.update(base_model=[])),
        ("manifest", lambda m: m["base_model"].pop("tokens")),
        ("manifest", lambda m: m["base_model"].update(d_in=10**12)),
        ("manifest", lambda m: m["base_model"].update(layers=True)),
        ("manifest", lambda m: m["base_model"].update(weights="F" * 64)),
        ("manifest", lambda m: m["base_model"].update(target="mlp/../x")),
        ("manifest", lambda m: m["adapted"].update(layers=[])),
        ("manifest", lambda m: m["adapted"].update(layers=[3, 2])),
        ("manifest", lambda m: m["adapted"].update(layers=[2, 4])),
        ("manifest", lambda m: m["adapted"].update(attention_layers=["1"])),
        ("manifest", lambda m: m.update(scores={"held_out": "1"})),
        ("manifest", lambda m: m.update(scores={"held_out": 10**400})),
        ("manifest", lambda m: m.update(scores={"\x1b[2J": 1})),
        ("manifest", lambda m: m["files"].pop("renderer.safetensors")),
        ("manifest", lambda m: m["files"].update({"run.py": {"bytes": 1, "sha256": "0" * 64}})),
        ("manifest", lambda m: m["files"].update({"README.md": {"bytes": 1}})),
        ("manifest", lambda m: m["files"]["README.md"].update(bytes=2**21)),
        ("manifest", lambda m: m["files"]["README.md"].update(bytes=-1)),
    ],
)
def test_refuses_what_is_against_the_rules(
    reason: str, change: Callable[[dict[str, Any]], object]
) -> None:
    with pytest.raises(PackageError) as refused:
        Manifest.from_bytes(changed(change))
    assert refused.value.reason == reason
    assert str(refused.value).isascii() and "\x1b" not in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"ump_renderer": "1", "ump_renderer": "1"}',
        MANIFEST.to_bytes().replace(b"0.5", b"NaN"),
        MANIFEST.to_bytes().replace(b"0.5", b"1e999"),
        b"[" * 60000,
    ],
)
def test_refuses_what_is_no_json_object_of_numbers(data: bytes) -> None:
    with pytest.raises(PackageError) as refused:
        Manifest.from_bytes(data)
    assert refused.value.reason == "manifest"


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_nothing_else_is_ever_raised(value: Any) -> None:
    for key in json.loads(MANIFEST.to_bytes()):
        data = changed(lambda m, key=key: m.update({key: value}))
        with suppress(PackageError):
            Manifest.from_bytes(data)


def test_a_signature_of_a_package_is_none_of_a_memory_file() -> None:
    assert signed_bytes(b"").startswith(b"UMP renderer package\ne3b0c442")
