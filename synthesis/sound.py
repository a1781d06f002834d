"""The source's sound for the result: copied as it is where the container can hold it, else encoded again as AAC."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.audio.resampler import AudioResampler

from dataset.errors import VideoError
from dataset.video import VideoInfo

#: What each kind of file holds and players play; anything else is encoded again.
_KEPT = {
    ".mp4": frozenset(("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac")),
    ".mov": frozenset(
        ("aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_f32le")
    ),
}


@contextmanager
def sound_of(source: Path, suffix: str) -> Iterator[tuple[Path | None, tuple[str, ...]]]:
    """A file whose sound `dataset.video.VideoWriter` can copy, in time with the source's first frame.

    Args:
        source: any video.
        suffix: of the file to be written, ".mp4" or ".mov".

    Yields:
        The source itself, a temporary file, or None where there is no sound that can be used; and notes for the user.
    """
    codecs = [stream.codec for stream in VideoInfo.from_path(source).streams if stream.kind == "audio"]
    if not codecs:
        yield None, ()
    elif codecs[0] in _KEPT[suffix]:
        yield source, ()
    elif codecs[0] == "unknown":
        yield None, ("the source's sound is of a kind that cannot be read here, and was left out",)
    else:
        with tempfile.TemporaryDirectory(prefix="danceproof-") as folder:
            path = Path(folder) / "sound.mp4"
            _encode(source, path)
            yield (
                path,
                (f"sound was encoded again as AAC: {suffix} does not hold {codecs[0]} in a way that plays",),
            )


def _encode(source: Path, path: Path) -> None:
    try:
        with av.open(str(source)) as given, av.open(str(path), "w") as made:
            stream = given.streams.audio[0]
            video = given.streams.video[0]
            begin = (video.start_time or 0) * (video.time_base or Fraction(0))
            rate = stream.rate or 48_000
            out = made.add_stream("aac", rate=rate)
            out.layout = "mono" if stream.channels == 1 else "stereo"
            shape = AudioResampler(format="fltp", layout=out.layout, rate=rate)
            for frame in given.decode(stream):
                for piece in shape.resample(frame):
                    if piece.pts is not None and piece.time_base is not None:
                        piece.pts -= round(begin / piece.time_base)
                        if piece.pts * piece.time_base + Fraction(piece.samples, rate) <= 0:
                            continue  # from before the first picture
                    made.mux(out.encode(piece))
            for piece in shape.resample(None):
                made.mux(out.encode(piece))
            made.mux(out.encode(None))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"its sound cannot be encoded again ({error})", path=source) from error
