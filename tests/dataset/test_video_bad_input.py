from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from video_files import make_sound, make_video, number, truncate

from dataset.errors import NotAVideoError, VideoError
from dataset.video import VideoInfo, frame_times, read_frames, read_pairs

READERS: list[Callable[[Path], object]] = [
    VideoInfo.from_path,
    frame_times,
    lambda path: list(read_frames(path)),
    lambda path: list(read_pairs(path, [0.0])),
]


def _missing(folder: Path) -> Path:
    return folder / "missing.mp4"


def _empty(folder: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def _text(folder: Path) -> Path:
    (folder / "notes.mp4").write_text("These are notes.\n" * 200)
    return folder / "notes.mp4"


def _noise(folder: Path) -> Path:
    (folder / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    return folder / "noise.mp4"


def _playlist(folder: Path) -> Path:
    make_video(folder / "part.ts", 10)
    (folder / "list.mp4").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\npart.ts\n#EXT-X-ENDLIST\n"
    )
    return folder / "list.mp4"


def _script(folder: Path) -> Path:
    make_video(folder / "part.mp4", 10)
    (folder / "script.mp4").write_text("ffconcat version 1.0\nfile part.mp4\n")
    return folder / "script.mp4"


def _photo(folder: Path) -> Path:
    with av.open(str(folder / "photo.png"), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "rgb24"
        container.mux(stream.encode(av.VideoFrame(32, 32, "rgb24")))
        container.mux(stream.encode(None))
    return folder / "photo.png"


def _link_to_nothing(folder: Path) -> Path:
    (folder / "link.mp4").symlink_to(folder / "gone.mp4")
    return folder / "link.mp4"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.mp4")
    return folder / "pipe.mp4"


def _no_index(folder: Path) -> Path:
    return truncate(make_video(folder / "cut.mp4", 50), 0.5)  # the index is written last, so it is lost


def _no_frames(folder: Path) -> Path:
    """A Matroska file whose header announces a video and that ends there."""
    data = make_video(folder / "header.mkv", 5).read_bytes()
    (folder / "header.mkv").write_bytes(data[: data.index(bytes.fromhex("1f43b675"))])  # the first cluster
    return folder / "header.mkv"


def _zero_frames(folder: Path) -> Path:
    """A whole file with a video track that holds nothing, beside sound."""
    path = make_video(folder / "none.mp4", 1, sound=0.2)
    data = path.read_bytes()
    # The number of samples in the sizes (stsz) of the first track, which is the picture.
    place = data.index(b"stsz") + 12
    path.write_bytes(data[:place] + bytes(4) + data[place + 4 :])
    return path


def _unknown_codec(folder: Path) -> Path:
    data = make_video(folder / "strange.mkv", 5).read_bytes()
    (folder / "strange.mkv").write_bytes(data.replace(b"V_MPEG4/ISO/AVC", b"V_STRANGE/CODEC"))
    return folder / "strange.mkv"


def _huge_gif(folder: Path) -> Path:
    size = struct.pack("<HH", 20_000, 20_000)
    picture = b"\x2c\0\0\0\0" + size + b"\0\x02\x02\x44\x01\0"
    (folder / "huge.gif").write_bytes(b"GIF89a" + size + b"\x80\0\0\0\0\0\xff\xff\xff" + picture + b";")
    return folder / "huge.gif"


def _huge_matroska(folder: Path) -> Path:
    """Uncompressed video that announces 20000×20000 pixels."""
    path = make_video(folder / "huge.mkv", 1, codec="ffv1", pixels="gray", size=(300, 400))
    data = path.read_bytes()
    for number_, element in ((300, b"\xb0\x82"), (400, b"\xba\x82")):  # PixelWidth, PixelHeight
        assert data.count(element + struct.pack(">H", number_)) == 1
        data = data.replace(element + struct.pack(">H", number_), element + struct.pack(">H", 20_000))
    path.write_bytes(data)
    return path


BAD: dict[str, tuple[Callable[[Path], Path], type[VideoError], str]] = {
    "missing": (_missing, NotAVideoError, "no such file"),
    "empty": (_empty, NotAVideoError, "the file is empty"),
    "a text": (_text, NotAVideoError, "cannot be read as video"),
    "noise": (_noise, NotAVideoError, "cannot be read as video"),
    "a play list": (_playlist, NotAVideoError, "cannot be read as video"),
    "a script": (_script, NotAVideoError, "cannot be read as video"),
    "a photo": (_photo, NotAVideoError, "cannot be read as video"),
    "a folder": (lambda folder: folder, NotAVideoError, "is a folder"),
    "a device": (lambda _: Path("/dev/zero"), NotAVideoError, "is a device or pipe"),
    "a pipe": (_pipe, NotAVideoError, "is a device or pipe"),
    "a link to nothing": (_link_to_nothing, NotAVideoError, "no such file"),
    "a name with a null": (lambda folder: folder / "a\0b.mp4", NotAVideoError, "cannot be opened"),
    "a name that is too long": (lambda folder: folder / ("x" * 300), NotAVideoError, "cannot be opened"),
    "sound only": (lambda folder: make_sound(folder / "song.m4a"), NotAVideoError, "sound but no pictures"),
    "no index": (_no_index, NotAVideoError, "where its frames are is missing"),
    "no frames": (_no_frames, NotAVideoError, "ends before its first frame"),
    "zero frames": (_zero_frames, NotAVideoError, "no frame in it can be decoded"),
    "an unknown codec": (_unknown_codec, VideoError, "codec is unknown"),
    "a huge GIF": (_huge_gif, VideoError, "20000×20000"),
    "a huge Matroska file": (_huge_matroska, VideoError, "20000×20000"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_video_gives_one_clear_line(what: str, tmp_path: Path) -> None:
    make, kind, words = BAD[what]
    path = make(tmp_path)
    began = time.monotonic()
    for read in READERS:
        with pytest.raises(kind, match=words) as caught:
            read(path)
        line = str(caught.value)
        assert "\n" not in line
        assert line.startswith(str(path))
        assert caught.value.hint or what.startswith("a name")
    assert time.monotonic() - began < 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(tmp_path: Path) -> None:
    path = make_video(tmp_path / "private.mp4", 3)
    path.chmod(0)
    with pytest.raises(NotAVideoError, match="no permission to read it"):
        frame_times(path)


def test_permission_is_asked_before_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_video(tmp_path / "private.mp4", 3)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(NotAVideoError, match="no permission to read it – chmod"):
        frame_times(path)


def test_a_name_with_a_colon_is_a_file_not_a_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_video(tmp_path / "clip.mp4", 3).rename(tmp_path / "concat:12:30.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(frame_times("concat:12:30.mp4")) == 3


CUT: dict[str, tuple[dict, str]] = {
    "front.mp4": (
        {"options": {"g": "12", "bf": "2"}, "container_options": {"movflags": "+faststart"}},
        "of 4.00 s",
    ),
    "plain.mkv": ({"options": {"g": "12", "bf": "2"}}, "of 4.00 s"),
    "sound.mkv": ({"options": {"g": "12", "bf": "2"}, "sound": 4.0}, "of 4.00 s"),
    "mpeg4.avi": ({"codec": "mpeg4"}, "of 4.00 s"),
    "film.mov": (
        {"codec": "prores_ks", "pixels": "yuv422p10le", "container_options": {"movflags": "+faststart"}},
        "of 4.00 s",
    ),
    "film.flv": ({"options": {"g": "12", "bf": "0"}}, "of 4.0"),
    "animation.gif": ({"codec": "gif", "pixels": "rgb8"}, "without its end mark"),
}


@pytest.mark.parametrize("name", CUT)
def test_a_truncated_file_is_read_as_far_as_it_decodes_and_says_so(name: str, tmp_path: Path) -> None:
    how, words = CUT[name]
    path = truncate(make_video(tmp_path / name, 100, **how), 0.6)
    reader = read_frames(path)
    frames = list(reader)
    assert 20 < len(frames) < 100
    # The reordering that the cut leaves unfinished may cost a frame before the last; the numbers tell.
    assert [number(frame.image) for frame in frames[:-3]] == list(range(len(frames) - 3))
    assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})
    assert all(number(frame.image) == round(frame.time * 25) for frame in frames)
    (problem,) = reader.problems
    assert problem.startswith("truncated: ")
    assert words in problem
    assert f"{frames[-1].time + 0.04:.2f} s" in problem

    problems: list[str] = []
    pairs = list(read_pairs(path, [0.5, 3.9], problems=problems))
    assert [number(pair.first.image) for pair in pairs] == [12, number(frames[-2].image)]
    assert problems == reader.problems
    assert VideoInfo.from_path(path).duration == pytest.approx(frames[-1].time + 0.04, abs=1e-3)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.gif", "a.webm", "a.ts", "a.mov"])
def test_a_whole_file_has_no_problems(name: str, tmp_path: Path) -> None:
    how = {"a.gif": {"codec": "gif", "pixels": "rgb8"}, "a.webm": {"codec": "libvpx-vp9"}}.get(name, {})
    reader = read_frames(
        make_video(tmp_path / name, 30, sound=0 if name.endswith(("gif", "webm")) else 3.0, **how)
    )
    assert len(list(reader)) == 30
    assert reader.problems == []


def test_damage_in_the_middle_is_told_with_its_time(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mov", 50, codec="prores_ks", pixels="yuv422p10le")
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = path.read_bytes()
    path.write_bytes(data.replace(packets[30], bytes(len(packets[30]))))
    reader = read_frames(path)
    indices = [frame.index for frame in reader]
    assert indices == [*range(30), *range(31, 50)]
    assert reader.problems == ["damaged: 1 packet from 1.20 s on could not be decoded whole"]


def test_nothing_is_printed_about_bad_files(tmp_path: Path) -> None:
    paths = [
        truncate(make_video(tmp_path / "cut.mkv", 50), 0.6),
        _noise(tmp_path),
        make_video(tmp_path / "good.mp4", 3),
    ]
    code = (
        "import sys\n"
        "from dataset.errors import VideoError\n"
        "from dataset.video import VideoInfo, VideoWriter, read_frames\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        frames = list(read_frames(path)); VideoInfo.from_path(path)\n"
        "    except VideoError:\n"
        "        continue\n"
        "    with VideoWriter(path + '.mp4', (96, 64), fps=25) as video:\n"
        "        for frame in frames:\n"
        "            video.write(frame.image)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_frames_above_the_limit_are_never_allocated(tmp_path: Path) -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for make in (_huge_gif, _huge_matroska):
        with pytest.raises(VideoError, match="megapixels"):
            list(read_frames(make(tmp_path)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
