"""From what somebody names to items, and from items to files."""

from __future__ import annotations

import functools
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from work_tasks import Acts, acts

from dataset.errors import WorkError
from dataset.work import Item, items_from, local_file, results_table, run_items, write_table

VIDEOS = frozenset({".mp4", ".mov"})


@pytest.fixture
def takes(tmp_path: Path) -> Path:
    folder = tmp_path / "takes"
    (folder / "b").mkdir(parents=True)
    for name, content in {
        "a.mp4": b"aa",
        "b/c.MOV": b"ccc",
        "b/notes.txt": b"n",
        ".hidden.mp4": b"h",
    }.items():
        (folder / name).write_bytes(content)
    return folder


def names(items: list[Item]) -> list[str]:
    return [item.uri.rpartition("/")[2] for item in items]


def content(item: Item) -> bytes:
    with local_file(item) as path:
        return path.read_bytes()


def test_a_folder_is_its_videos_and_those_below(takes: Path) -> None:
    items = items_from([takes], VIDEOS)
    assert names(items) == ["a.mp4", "c.MOV"]
    assert [item.weight for item in items] == [2, 3]
    with local_file(items[0]) as path:
        assert path == takes / "a.mp4"  # no copy


def test_files_globs_and_lists_name_each_item_once(takes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (takes / "list.txt").write_text(f"# two\n{takes}/a.mp4\n\n{takes}/b/*\n", "utf-8")
    monkeypatch.chdir(takes)
    items = items_from(["@list.txt", "a.mp4", f"file://{takes}/a.mp4", "**/*.mp4"], VIDEOS)
    assert names(items) == ["a.mp4", "c.MOV"]
    assert names(items_from(["b/notes.txt"], VIDEOS)) == ["notes.txt"]  # whoever names a file means it


def test_keys_follow_from_the_place_alone(takes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(takes)
    assert Item.of("a.mp4").key == Item.of(takes / "a.mp4").key
    assert Item.of("a.mp4").key != Item.of("b/a.mp4").key
    assert Item.of("s3://bucket/ä b?.mp4").key.startswith("b-")
    assert len(Item.of(f"/x/{'long' * 100}.mp4").key) < 120


@pytest.mark.parametrize("wrong", ["missing.mp4", "@missing.txt", "none/*.mp4", "memory://nowhere/x.mp4"])
def test_what_stands_for_nothing_is_told(wrong: str, takes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(takes)
    with pytest.raises(WorkError):
        items_from([wrong], VIDEOS)


def test_urls_of_any_file_system_are_listed_and_fetched(takes: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({"/w/x.mp4": b"xx", "/w/deep/y.mp4": b"yyy", "/w/z.txt": b"z"})
    try:
        items = items_from(["memory://w"], VIDEOS)
        assert sorted(names(items)) == ["x.mp4", "y.mp4"]
        assert {content(item) for item in items} == {b"xx", b"yyy"}
        assert items_from(["memory://w/*.mp4", "memory://w/deep/y.mp4"], VIDEOS) == sorted(
            items, key=lambda item: item.weight
        )
        (gone,) = items_from(["memory://w/x.mp4"], VIDEOS)
        memory.rm("/w/x.mp4")
        with pytest.raises(WorkError, match="cannot be fetched"):
            content(gone)
    finally:
        memory.rm("/w", recursive=True)


class Ranges(SimpleHTTPRequestHandler):
    """Answers requests for a part of a file, and notes how many bytes were asked for."""

    sent: list[int] = []  # noqa: RUF012 - one server a test

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        data = path.read_bytes() if path.is_file() else b""
        first, last = 0, len(data) - 1
        if asked := self.headers.get("Range"):
            low, _, high = asked.removeprefix("bytes=").partition("-")
            first, last = int(low), min(int(high or last), last)
        part = data[first : last + 1]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        self.wfile.write(part)
        type(self).sent.append(len(part))

    def log_message(self, *told: object) -> None:
        """Nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    pytest.importorskip("aiohttp", reason="fsspec reads http:// with aiohttp")
    folder = tmp_path / "served"
    folder.mkdir()
    Ranges.sent = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Ranges, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def shard(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_members_of_a_shard_are_read_on_their_own(tmp_path: Path) -> None:
    shard(tmp_path / "s-000.tar", {"0001.mp4": b"one", "0001.json": b"{}", "in/0002.mp4": b"two!"})
    items = items_from([tmp_path], VIDEOS)  # a folder of shards alone
    assert [(item.key.rpartition("-")[0], item.weight) for item in items] == [("0001", 3), ("0002", 4)]
    assert [content(item) for item in items] == [b"one", b"two!"]
    with local_file(items[1]) as path:
        assert path.name == "0002.mp4"
    assert not path.exists()


def test_of_a_shard_on_a_server_only_the_member_travels(served: tuple[Path, str]) -> None:
    folder, url = served
    shard(folder / "s.tar", {"a.mp4": b"a" * 12_000_000, "b.mp4": b"b" * 1000})
    items = items_from([f"{url}/s.tar"], VIDEOS)
    Ranges.sent.clear()
    assert content(items[1]) == b"b" * 1000
    assert sum(Ranges.sent) < 6_000_000


def test_a_compressed_shard_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.tar.gz").write_bytes(b"")
    with pytest.raises(WorkError, match=r"make it a plain \.tar"):
        items_from([tmp_path / "s.tar.gz"], VIDEOS)


@pytest.mark.parametrize("where", ["folder", "memory"])
def test_rows_of_a_data_set_are_items(where: str, tmp_path: Path) -> None:
    video = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"id": f"r{n}", "video": {"bytes": b"v%d" % n, "path": f"videos/r{n}.mp4"}} for n in range(5)]
    schema = pa.schema([("id", pa.string()), ("video", video)])
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        path = tmp_path / "data" / f"{split}-00000-of-00001.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema), path, row_group_size=2)
    url = str(tmp_path)
    if where == "memory":
        fsspec.filesystem("memory").put(str(tmp_path / "data"), "/ds/data", recursive=True)
        url = "memory://ds"
    items = items_from([url], VIDEOS, split="train")
    assert [item.key.rpartition("-")[0] for item in items] == [f"r{n}-video" for n in range(5)]
    assert [content(item) for item in items] == [b"v0", b"v1", b"v2", b"v3", b"v4"]
    assert len(items_from([url], VIDEOS)) == 10


def test_results_go_to_any_file_system_and_are_passed_over_there() -> None:
    memory = fsspec.filesystem("memory")
    try:
        first = run_items(acts("fine", "bad"), Acts(), "memory://results/one", workers=0)
        again = run_items(acts("fine", "bad"), Acts(), "memory://results/one", workers=0)
        assert (first.done, len(first.failed)) == (1, 1)
        assert (again.done, again.skipped, again.failed) == (0, 1, first.failed)
        assert results_table("memory://results/one").column("error").to_pylist() == [
            None,
            "a.mp4: cannot be read",
        ]
        retried = run_items(acts("fine", "bad"), Acts(), "memory://results/one", workers=0, retry=True)
        assert len(retried.failed) == 1
    finally:
        memory.rm("/results", recursive=True)


def test_all_results_make_one_table(tmp_path: Path) -> None:
    items = acts("fine", "fine", "bad")
    run_items(items, Acts(), tmp_path / "out", workers=0)
    table = results_table(tmp_path / "out")
    assert table.column_names == ["key", "uri", "error", "digest", "words"]
    assert table.column("key").to_pylist() == [item.key for item in items]
    assert table.column("words")[0].as_py() == '["ä", 1, 0.1, null]'
    assert table.column("digest")[2].as_py() is None
    assert write_table(tmp_path / "out", tmp_path / "all.parquet") == 3
    assert pq.read_table(tmp_path / "all.parquet").equals(table)
