"""Bundles: equal input, equal bytes; anything that is not whole is refused by name."""

import io
import tarfile

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automation.core.errors import ConfigError
from automation.gates.bundle import Contents, open_bundle, write_bundle
from automation.gates.cut import content_hash, cut

PAIR = "BTC/USDT:USDT"


def contents(files, **changed) -> Contents:
    fields = {
        "timerange": "20250104-20250108",
        "pairs": (PAIR,),
        "timeframes": ("5m",),
        "files": files,
        "rules": {PAIR: {"tick": "0.1"}},
        "tiers": {PAIR: [{"maxLeverage": 20}]},
        "versions": {"freqtrade": "2026.9"},
        "lead_days": 2,
    }
    return Contents(**{**fields, **changed})


@pytest.fixture
def bundle(tmp_path, feather):
    target = tmp_path / "bundle.tar.zst"
    write_bundle(contents([feather]), target)
    return target


def unpacked(path) -> dict[str, bytes]:
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
        content = stream.read()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive}


def packed(path, members: dict[str, bytes]):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, payload in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(payload)
            archive.addfile(info, io.BytesIO(payload))
    path.write_bytes(pa.Codec("zstd").compress(buffer.getvalue(), asbytes=True))
    return path


def test_equal_input_gives_equal_bytes_and_address(tmp_path, feather):
    made = [
        write_bundle(contents([feather]), tmp_path / f"{name}.tar.zst").address for name in "ab"
    ]
    assert made[0] == made[1]
    assert (tmp_path / "a.tar.zst").read_bytes() == (tmp_path / "b.tar.zst").read_bytes()


def test_holds_the_range_its_lead_and_both_ends(bundle, tmp_path):
    found = open_bundle(bundle, tmp_path / "out")
    (member,) = [one for one in found.manifest.members if one.rows]
    lead = 2 * 288
    assert member.rows == lead + 4 * 288 + 1
    assert found.rules == {PAIR: {"tick": "0.1"}}
    assert found.tiers[PAIR] == [{"maxLeverage": 20}]
    rows = pa.ipc.open_file(pa.memory_map(str(found.data / member.name))).read_all()
    assert rows.num_rows == member.rows
    assert rows.column_names == ["date", "open", "high", "low", "close", "volume"]


def test_address_follows_content_not_compression(bundle, tmp_path, feather):
    whole = packed(tmp_path / "other.tar.zst", unpacked(bundle))
    assert whole.read_bytes() != bundle.read_bytes()
    first, second = open_bundle(bundle, tmp_path / "1"), open_bundle(whole, tmp_path / "2")
    assert first.address == second.address


@pytest.mark.parametrize(
    "changed",
    [
        {"timerange": "20250104-20250109"},
        {"rules": {PAIR: {"tick": "0.2"}}},
        {"tiers": {}},
        {"versions": {"freqtrade": "2026.10"}},
        {"lead_days": 1},
    ],
)
def test_address_changes_with_the_content(tmp_path, feather, changed):
    first = write_bundle(contents([feather]), tmp_path / "a")
    assert write_bundle(contents([feather], **changed), tmp_path / "b").address != first.address


def test_one_changed_price_changes_the_hash(tmp_path, make_candles):
    one = cut(make_candles(tmp_path / "a.feather", seed=1), 0, 2**60)
    other = cut(make_candles(tmp_path / "b.feather", seed=2), 0, 2**60)
    assert one.content != other.content
    assert content_hash(one.payload) == one.content


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_damaged_byte_is_noticed(data, tmp_path_factory, make_candles):
    folder = tmp_path_factory.getbasetemp() / "damage"
    source = folder / "whole.tar.zst"
    if not source.exists():
        folder.mkdir()
        file = make_candles(folder / "BTC_USDT_USDT-5m-futures.feather", 600)
        write_bundle(contents([file], timerange="20250101-20250102"), source)
    whole = bytearray(source.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    damaged = folder / "damaged.tar.zst"
    damaged.write_bytes(whole)
    try:
        found = open_bundle(damaged, folder / "out").address
    except ConfigError as error:
        found = str(error)
    # Where nobody reads the byte (a flag of the compressor) the content is as it was.
    assert "damaged.tar.zst" in found or found == open_bundle(source, folder / "out").address


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.999])
def test_truncated(bundle, tmp_path, keep):
    content = bundle.read_bytes()
    size = keep if isinstance(keep, int) else int(len(content) * keep)
    part = tmp_path / "part.tar.zst"
    part.write_bytes(content[:size])
    with pytest.raises(ConfigError, match=r"part\.tar\.zst"):
        open_bundle(part, tmp_path / "out")


def test_a_changed_candle_is_refused_even_with_a_fitting_checksum(bundle, tmp_path, make_candles):
    import hashlib

    members = unpacked(bundle)
    name = next(name for name in members if name.endswith(".feather"))
    path = make_candles(tmp_path / "other.feather", seed=9)
    forged = cut(path, 0, 2**60).payload
    manifest = orjson.loads(members["manifest.json"])
    for member in manifest["members"]:
        if member["name"] == name:
            member |= {"sha256": hashlib.sha256(forged).hexdigest(), "size": len(forged)}
    members |= {name: forged, "manifest.json": orjson.dumps(manifest)}
    with pytest.raises(ConfigError, match="rows of futures/.* are not the manifest's"):
        open_bundle(packed(tmp_path / "forged", members), tmp_path / "out")


def test_members_that_do_not_belong(bundle, tmp_path):
    members = unpacked(bundle)
    for name in ("../escape.feather", "/etc/passwd", "futures/x.py", "strategies/A.py"):
        with pytest.raises(ConfigError, match="which no bundle does"):
            open_bundle(packed(tmp_path / "odd", {**members, name: b"x"}), tmp_path / "out")
    del members["rules.json"]
    with pytest.raises(ConfigError, match=r"rules\.json is missing"):
        open_bundle(packed(tmp_path / "less", members), tmp_path / "out")


def test_another_format_or_kind_is_named(bundle, tmp_path):
    members = unpacked(bundle)
    manifest = orjson.loads(members["manifest.json"])
    later = {**members, "manifest.json": orjson.dumps({**manifest, "format": 2})}
    with pytest.raises(ConfigError, match="format 2; this version reads format 1"):
        open_bundle(packed(tmp_path / "later", later), tmp_path / "out")
    other = {**members, "manifest.json": orjson.dumps({**manifest, "kind": "cake"})}
    with pytest.raises(ConfigError, match="is a cake, no bundle"):
        open_bundle(packed(tmp_path / "cake", other), tmp_path / "out")
    false = {**members, "manifest.json": orjson.dumps({**manifest, "lead_days": 9})}
    with pytest.raises(ConfigError, match="does not fit its address"):
        open_bundle(packed(tmp_path / "false", false), tmp_path / "out")


def test_no_file_and_no_bundle(tmp_path):
    with pytest.raises(ConfigError, match="there is no such bundle"):
        open_bundle(tmp_path / "none", tmp_path / "out")
    text = tmp_path / "text"
    text.write_text("hello")
    with pytest.raises(ConfigError, match="no bundle"):
        open_bundle(text, tmp_path / "out")


def test_range_without_rows_and_open_range(tmp_path, feather):
    with pytest.raises(ConfigError, match="has no rows in the range"):
        write_bundle(contents([feather], timerange="20200101-20200201"), tmp_path / "b")
    with pytest.raises(ConfigError, match="both ends"):
        write_bundle(contents([feather], timerange="20250101-"), tmp_path / "b")
