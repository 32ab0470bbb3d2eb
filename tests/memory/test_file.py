"""Every rule of UMP/1 has a file that breaks it and nothing else."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from universal_memory.memory.file import MAX_FILE_BYTES, MemoryFile, MemoryFileError
from universal_memory.memory.format import MAX_HEADER_BYTES, TENSOR_BYTES
from universal_memory.memory.signing import Signer

# The canonical bytes of a fixed memory: a change here breaks every file in the world.
GOLDEN_ID = "beb336932d8587735b2c190706b9eaeeaa46aee4277e1117442942b9b9f24f44"
GOLDEN_HEADER = (
    '{"__metadata__":{"ump_version":"1","space_id":"golden-space/1","counter":"7",'
    f'"sha256":"{GOLDEN_ID}"}},'
    '"usv":{"dtype":"F32","shape":[16,256],"data_offsets":[0,16384]},'
    '"passport":{"dtype":"F32","shape":[1024],"data_offsets":[16384,20480]}}       '
)


def golden() -> MemoryFile:
    """A memory whose numbers are exact in binary, the same on every machine."""
    usv = np.where(np.arange(4096).reshape(16, 256) % 3 == 0, 1.0, -0.5)
    usv *= 1.5
    passport = np.where(np.arange(1024) % 5 == 0, -1.0, 1.0) / 32
    return MemoryFile.create(usv, passport, "golden-space/1", 7)


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def rebuilt(header: Any, tensors: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors


def with_metadata(data: bytes, **changes: Any) -> bytes:
    """The file with metadata keys changed, or removed where the value is None."""
    header, tensors = parts(data)
    metadata = header["__metadata__"] | changes
    header["__metadata__"] = {k: v for k, v in metadata.items() if v is not None}
    return rebuilt(header, tensors)


def with_tensors(data: bytes, usv: np.ndarray, passport: np.ndarray) -> bytes:
    """The file with other numbers and a hash that fits them."""
    header, _ = parts(data)
    tensors = usv.astype("<f4").tobytes() + passport.astype("<f4").tobytes()
    header["__metadata__"]["sha256"] = hashlib.sha256(tensors).hexdigest()
    return rebuilt(header, tensors)


def refusal(data: bytes, **rules: Any) -> str:
    with pytest.raises(MemoryFileError) as caught:
        MemoryFile.from_bytes(data, **rules)
    return caught.value.reason


def test_golden_bytes() -> None:
    data = golden().to_bytes()
    header = data[8:-20480].decode()
    assert golden().id == GOLDEN_ID
    assert header == GOLDEN_HEADER
    assert hashlib.sha256(data[-20480:]).hexdigest() == GOLDEN_ID


def test_the_specification_says_what_the_reader_does() -> None:
    text = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
    assert GOLDEN_HEADER in text and GOLDEN_ID in text
    for number in (MAX_FILE_BYTES, MAX_HEADER_BYTES, TENSOR_BYTES):
        assert f"{number:,}" in text
    for error in MemoryFileError.__subclasses__():
        assert f"`{error.reason}`" in text


def test_round_trip(make: Callable[..., MemoryFile]) -> None:
    memory = make(3, signer=Signer.generate())
    data = memory.to_bytes()
    again = MemoryFile.from_bytes(data, space_id="test-space/1")
    assert again == memory and again.to_bytes() == data
    assert again.usv.dtype == np.float32 and again.usv.shape == (16, 256)
    assert (again.id, again.counter, again.space_id) == (memory.id, 3, "test-space/1")
    np.testing.assert_array_equal(again.passport, memory.passport)
    assert 20_480 < len(data) <= MAX_FILE_BYTES and len(make(3).to_bytes()) < 20_800


def test_values_cannot_be_changed_afterwards(make: Callable[..., MemoryFile]) -> None:
    source = np.random.default_rng(0).normal(size=(16, 256)).astype(np.float32)
    memory = make(1, usv=source)
    source[:] = 0
    assert np.linalg.norm(memory.usv) > 1
    with pytest.raises(ValueError, match="read-only"):
        memory.usv[0, 0] = 1


def test_id_is_of_the_content_only(make: Callable[..., MemoryFile]) -> None:
    one = make(5)
    other = make(5, counter=99, space_id="elsewhere", signer=Signer.generate())
    assert one.id == other.id and one != other
    assert make(6).id != one.id


def test_the_ordinary_safetensors_library_reads_and_writes_it(
    make: Callable[..., MemoryFile],
) -> None:
    memory = make(2)
    tensors = load(memory.to_bytes())
    np.testing.assert_array_equal(tensors["usv"], memory.usv)
    header, _ = parts(memory.to_bytes())
    foreign = save(dict(reversed(tensors.items())), metadata=header["__metadata__"])
    assert foreign != memory.to_bytes()  # the library puts the passport first
    assert MemoryFile.from_bytes(foreign) == memory


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("version", {"ump_version": "2"}),
        ("version", {"ump_version": None}),
        ("version", {"ump_version": 1}),
        ("metadata", {"counter": None}),
        ("metadata", {"counter": "-1"}),
        ("metadata", {"counter": "007"}),
        ("metadata", {"counter": "١"}),  # a digit, but not an ASCII one
        ("metadata", {"counter": str(2**63)}),
        ("metadata", {"counter": "9" * 500}),
        ("metadata", {"sha256": "AB" * 32}),
        ("metadata", {"sha256": None}),
        ("metadata", {"text": "the tea should be weak"}),
        ("space", {"space_id": ""}),
        ("space", {"space_id": "two\nlines"}),
        ("space", {"space_id": "x" * 65}),
        ("hash", {"sha256": "0" * 64}),
        ("signature", {"key_id": "0" * 32}),
        ("signature", {"signature": "0" * 128}),
        ("signature", {"key_id": "0" * 32, "signature": "xyz"}),
    ],
)
def test_refuses_metadata(
    make: Callable[..., MemoryFile], reason: str, changes: dict[str, Any]
) -> None:
    assert refusal(with_metadata(make(1).to_bytes(), **changes)) == reason


def test_refuses_another_space(make: Callable[..., MemoryFile]) -> None:
    assert refusal(make(1).to_bytes(), space_id="test-space/2") == "space"


def spoiled_usv(index: tuple[int, int], value: float) -> np.ndarray:
    usv = golden().usv.copy()
    usv[index] = value
    return usv


@pytest.mark.parametrize(
    ("reason", "usv", "passport"),
    [
        ("not_finite", spoiled_usv((3, 4), np.nan), golden().passport),
        ("not_finite", spoiled_usv((15, 255), np.inf), golden().passport),
        ("not_finite", golden().usv, np.full(1024, np.nan)),
        ("slot_norm", spoiled_usv((3, 4), 30.0), golden().passport),
        ("slot_norm", spoiled_usv((3, 4), 3e38), golden().passport),
        ("slot_norm", golden().usv * np.float32(0.1), golden().passport),
        ("passport_norm", golden().usv, golden().passport * np.float32(1.01)),
        ("passport_norm", golden().usv, np.zeros(1024)),
        ("passport_norm", golden().usv, np.full(1024, 3e38)),
    ],
)
def test_refuses_values(reason: str, usv: np.ndarray, passport: np.ndarray) -> None:
    assert refusal(with_tensors(golden().to_bytes(), usv, passport)) == reason
    with pytest.raises(MemoryFileError) as caught:
        MemoryFile.create(usv, passport, "golden-space/1", 1)
    assert caught.value.reason == reason


def test_refuses_tensors_that_are_not_the_protocols() -> None:
    header, _ = parts(golden().to_bytes())
    metadata = header["__metadata__"]
    usv, passport = golden().usv, golden().passport

    def saved(**tensors: np.ndarray) -> bytes:
        return save(tensors, metadata=metadata)

    assert refusal(saved(usv=usv, passport=passport, text=np.zeros(2, np.uint8))) == "tensors"
    assert refusal(saved(usv=usv)) == "tensors"
    assert refusal(saved(usv=usv.reshape(256, 16), passport=passport)) == "shape"
    assert refusal(saved(usv=usv, passport=passport.reshape(1, 1024))) == "shape"
    assert refusal(saved(usv=usv, passport=passport.astype(np.float16))) == "dtype"
    assert refusal(saved(usv=usv.view(np.int32), passport=passport)) == "dtype"
    big = np.zeros((1 << 16,), np.float32)
    assert refusal(saved(usv=usv, passport=passport, big=big)) == "oversize"


def test_refuses_containers_that_are_not_whole() -> None:
    data = golden().to_bytes()
    header, tensors = parts(data)
    assert refusal(b"") == "malformed"
    assert refusal(data[:-1]) == "malformed"
    assert refusal(data + b"\0") == "malformed"
    assert refusal(data[:100]) == "malformed"
    assert refusal(struct.pack("<Q", 2**63) + data[8:]) == "oversize"
    assert refusal(rebuilt(b"[" * 2000, tensors)) == "malformed"
    assert refusal(rebuilt(b'{"usv": NaN', tensors)) == "malformed"
    assert refusal(rebuilt(b"\xff\xfe{}", tensors)) == "malformed"
    assert refusal(rebuilt([1], tensors)) == "malformed"
    text = json.dumps(header)
    twice = text[:-1] + ', "usv": ' + json.dumps(header["usv"]) + "}"
    assert refusal(rebuilt(twice.encode(), tensors)) == "malformed"
    noisy = header | {"usv": header["usv"] | {"note": "hello"}}
    assert refusal(rebuilt(noisy, tensors)) == "malformed"
    overlapping = header | {"usv": header["usv"] | {"data_offsets": [4096, 20480]}}
    assert refusal(rebuilt(overlapping, tensors)) == "malformed"


def test_every_flipped_bit_of_the_tensors_is_seen() -> None:
    data = golden().to_bytes()
    for position in range(len(data) - 20480, len(data), 997):
        changed = bytearray(data)
        changed[position] ^= 0x01
        assert refusal(bytes(changed)) == "hash"


def test_errors_name_the_value_and_stay_on_one_line() -> None:
    with pytest.raises(MemoryFileError, match="space_id is 'two") as caught:
        MemoryFile.create(golden().usv, golden().passport, "two\nlines" + "x" * 900, 1)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    with pytest.raises(MemoryFileError, match="counter -1"):
        MemoryFile.create(golden().usv, golden().passport, "s", -1)
    with pytest.raises(MemoryFileError, match=r"shape \[16, 255\]"):
        MemoryFile.create(np.ones((16, 255)), golden().passport, "s", 1)


def survives(data: bytes) -> None:
    """Any bytes are a valid memory or a MemoryFileError, never another exception."""
    try:
        memory = MemoryFile.from_bytes(data)
    except MemoryFileError as error:
        assert error.reason and str(error)
    else:
        assert MemoryFile.from_bytes(memory.to_bytes()) == memory


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes(data: bytes) -> None:
    survives(data)
    survives(struct.pack("<Q", len(data)) + data)


@given(
    st.integers(0, len(golden().to_bytes()) - 1),
    st.binary(min_size=1, max_size=16),
    st.integers(0, 30),
)
@settings(max_examples=300, deadline=None)
def test_any_damage_to_a_good_file(position: int, patch: bytes, removed: int) -> None:
    data = golden().to_bytes()
    position %= 700  # mostly the header; the tensors are covered by the hash
    survives(data[:position] + patch + data[position + removed :])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)
ENTRY = st.fixed_dictionaries(
    {"dtype": JSON | st.just("F32"), "shape": JSON | st.just([16, 256]), "data_offsets": JSON}
)


@given(st.sampled_from(["usv", "passport", "__metadata__", "other"]), JSON | ENTRY)
@example("usv", {"dtype": "F32", "shape": [16.0, 256], "data_offsets": [0, 16384]})
@example("usv", {"dtype": "F32", "shape": [16, 256], "data_offsets": [-1, 16384]})
@example("passport", {"dtype": "F32", "shape": [1024], "data_offsets": [2**70, 2**71]})
@example("__metadata__", {"ump_version": "1", "space_id": [], "counter": {}, "sha256": None})
@settings(max_examples=300, deadline=None)
def test_any_header(name: str, value: Any) -> None:
    header, tensors = parts(golden().to_bytes())
    survives(rebuilt(header | {name: value}, tensors))
