"""Make the pose bundles again from what MediaPipe publishes: ``python -m dataset.pose.models.rebuild``.

MediaPipe from 0.10.30 on ships no models. The wheel of 0.10.21 on the Python package index was the last that did, as
bare ``.tflite`` files for an interface that no longer exists. MediaPipe Tasks reads bundles instead: uncompressed
zip files of the same models, under the names that it expects, each saying in its metadata how pixels become the
numbers it was trained on. The download is checked against a fixed hash, and the same bytes come out every time.

The holistic bundle has to contain a blendshape model. None is published in that wheel, so a placeholder takes its
place, and nothing here asks for blendshapes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dataset.errors import ModelError
from dataset.files import atomic_path, sha256_file

WHEEL = "mediapipe==0.10.21"
WHEEL_SHA256 = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
#: The one wheel of that version that is asked for, on whatever machine: all of them hold the same models.
_PLATFORM = (
    *("--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"),
    *("--platform", "manylinux_2_28_x86_64"),
)

_MINUS_ONE_TO_ONE = (127.5, 127.5)
_ZERO_TO_ONE = (0.0, 255.0)
#: For each bundle, its members: name in the bundle, file in the wheel, name in the metadata, mean and deviation that
#: the network's input is normalised with. MediaPipe's own graphs of that version state these ranges.
_POSE = (
    ("pose_detector.tflite", "pose_detection/pose_detection.tflite", "pose_detector", _MINUS_ONE_TO_ONE),
    (
        "pose_landmarks_detector.tflite",
        "pose_landmark/pose_landmark_full.tflite",
        "pose_landmarks",
        _ZERO_TO_ONE,
    ),
)
BUNDLES = {
    "pose_landmarker_full.task": _POSE,
    "holistic_landmarker.task": (
        (
            "face_detector.tflite",
            "face_detection/face_detection_short_range.tflite",
            "face_detector",
            _MINUS_ONE_TO_ONE,
        ),
        (
            "face_landmarks_detector.tflite",
            "face_landmark/face_landmark_with_attention.tflite",
            "face_landmarks",
            _ZERO_TO_ONE,
        ),
        *_POSE,
        (
            "hand_landmarks_detector.tflite",
            "hand_landmark/hand_landmark_full.tflite",
            "hand_landmarks",
            _ZERO_TO_ONE,
        ),
        ("hand_roi_refinement.tflite", "holistic_landmark/hand_recrop.tflite", "hand_roi", _ZERO_TO_ONE),
    ),
}
_PLACEHOLDER = {"holistic_landmarker.task": "face_blendshapes.tflite"}


def download(folder: Path) -> Path:
    """The wheel, fetched by pip from the configured package index.

    Raises:
        ModelError: pip failed.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", *_PLATFORM]
    done = subprocess.run([*command, "--dest", str(folder), WHEEL], capture_output=True, text=True)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ModelError(f"pip could not download {WHEEL}: {reason}", hint="give the wheel with --wheel")
    return next(folder.glob("mediapipe-*.whl"))


def rebuild(wheel: Path, folder: Path) -> list[Path]:
    """Write all bundles into `folder`.

    Raises:
        ModelError: the wheel is not the one that the bundles are made of.
    """
    digest = sha256_file(wheel)
    if digest != WHEEL_SHA256:
        raise ModelError(
            f"not the wheel that the bundles are made of (SHA-256 {digest[:12]}…, expected {WHEEL_SHA256[:12]}…)",
            path=wheel,
        )
    written = []
    with zipfile.ZipFile(wheel) as source:
        for name, members in BUNDLES.items():
            models = {
                member: with_normalisation(source.read(f"mediapipe/modules/{file}"), title, *scale)
                for member, file, title, scale in members
            }
            if name in _PLACEHOLDER:
                models[_PLACEHOLDER[name]] = placeholder_blendshapes()
            with atomic_path(folder / name) as temporary:
                write_bundle(temporary, models)
            written.append(folder / name)
    return written


def write_bundle(path: Path, models: dict[str, bytes]) -> None:
    """An uncompressed zip of `models`, the same bytes whenever and wherever it is written."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as bundle:
        for name, data in models.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            bundle.writestr(entry, data)


def with_normalisation(model: bytes, title: str, mean: float, deviation: float) -> bytes:
    """A TensorFlow Lite model with metadata that says: input = (pixel − mean) / deviation, RGB."""
    from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata
    from mediapipe.tasks.metadata import schema_py_generated as schema

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(model), 0))
    if title == "face_landmarks":
        _join_face_outputs(Graph(tree))
    normalisation = metadata.NormalizationOptionsT()
    normalisation.mean, normalisation.std = [mean], [deviation]
    unit = metadata.ProcessUnitT()
    unit.optionsType, unit.options = metadata.ProcessUnitOptions.NormalizationOptions, normalisation
    picture = metadata.ImagePropertiesT()
    picture.colorSpace = metadata.ColorSpaceType.RGB
    content = metadata.ContentT()
    content.contentPropertiesType = metadata.ContentProperties.ImageProperties
    content.contentProperties = picture
    image = metadata.TensorMetadataT()
    image.name, image.description = "image", "Input image to be processed."
    image.content, image.processUnits = content, [unit]
    outputs = []
    for index in tree.subgraphs[0].outputs:
        output = metadata.TensorMetadataT()
        name = tree.subgraphs[0].tensors[index].name
        output.name = name if isinstance(name, str) else name.decode()
        outputs.append(output)
    graph = metadata.SubGraphMetadataT()
    graph.inputTensorMetadata, graph.outputTensorMetadata = [image], outputs
    facts = metadata.ModelMetadataT()
    facts.name, facts.subgraphMetadata, facts.minParserVersion = title, [graph], "1.0.0"
    # Some models have metadata of their own, written for another interface; it is replaced.
    entry = next((old for old in tree.metadata or [] if old.name == b"TFLITE_METADATA"), None)
    if entry is None:
        entry = schema.MetadataT()
        entry.name, entry.buffer = "TFLITE_METADATA", len(tree.buffers)
        tree.buffers.append(schema.BufferT())
        tree.metadata = [*(tree.metadata or []), entry]
    tree.buffers[entry.buffer].data = np.frombuffer(_packed(facts, b"M001"), np.uint8)
    return _packed(tree, b"TFL3")


class Graph:
    """Appends tensors and operations to the first graph of a TensorFlow Lite model's object tree."""

    def __init__(self, tree: Any) -> None:
        from mediapipe.tasks.metadata import schema_py_generated as schema

        self._schema, self._tree, self.graph = schema, tree, tree.subgraphs[0]

    def tensor(self, name: str, shape: list[int], values: npt.NDArray[Any] | None = None) -> int:
        """A new tensor, constant where values (int32 or float32) are given; returns its index."""
        types = self._schema.TensorType
        made = self._schema.TensorT()
        made.name, made.shape = name, shape
        made.type = types.INT32 if values is not None and values.dtype == np.int32 else types.FLOAT32
        if values is not None:
            constant = self._schema.BufferT()
            constant.data = np.ascontiguousarray(values).view(np.uint8).ravel()
            made.buffer = len(self._tree.buffers)
            self._tree.buffers.append(constant)
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def reshape(self, source: int, name: str, shape: list[int]) -> int:
        """Returns the index of the reshaped tensor."""
        options = self._schema.ReshapeOptionsT()
        options.newShape = shape
        wanted = self.tensor(f"{name}_shape", [len(shape)], np.array(shape, np.int32))
        return self._operation("Reshape", [source, wanted], self.tensor(name, shape), options)

    def concatenate(self, sources: list[int], name: str, shape: list[int], axis: int) -> int:
        """Returns the index of the tensor that holds the sources one after the other along `axis`."""
        options = self._schema.ConcatenationOptionsT()
        options.axis = axis
        return self._operation("Concatenation", sources, self.tensor(name, shape), options)

    def slice(self, source: int, name: str, shape: list[int]) -> int:
        """Returns the index of the first `shape` values of the source."""
        zeros, size = np.zeros(len(shape), np.int32), np.array(shape, np.int32)
        begin, length = (
            self.tensor(f"{name}_{what}", [len(shape)], v) for what, v in (("from", zeros), ("size", size))
        )
        return self._operation(
            "Slice", [source, begin, length], self.tensor(name, shape), self._schema.SliceOptionsT()
        )

    def output(self, name: str) -> int:
        """The index of the output of that name."""
        return next(i for i in self.graph.outputs if self.graph.tensors[i].name == name.encode())

    def _operation(self, kind: str, inputs: list[int], output: int, options: Any) -> int:
        code = self._schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(self._schema.BuiltinOperator, kind.upper())
        code.version = 1
        made = self._schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = len(self._tree.operatorCodes), inputs, [output]
        made.builtinOptionsType = getattr(self._schema.BuiltinOptions, f"{kind}Options")
        made.builtinOptions = options
        self._tree.operatorCodes.append(code)
        self.graph.operators.append(made)
        return output


def _join_face_outputs(graph: Graph) -> None:
    """One output of 478 points out of the mesh's 468 and two irises of 5, which have no depth.

    The wheel's face model gives mesh, lips, eyes and irises one by one, for a calculator that joined them; the
    landmarker of today expects one tensor. Lips and eyelids stay those of the mesh.
    """
    no_depth = graph.tensor("no_depth", [1, 5, 1], np.zeros((1, 5, 1), np.float32))
    pieces = [graph.reshape(graph.output("output_mesh_identity"), "mesh", [1, 468, 3])]
    for side in ("left", "right"):
        flat = graph.reshape(graph.output(f"output_{side}_iris"), f"{side}_iris", [1, 5, 2])
        pieces.append(graph.concatenate([flat, no_depth], f"{side}_iris_3d", [1, 5, 3], 2))
    joined = graph.concatenate(pieces, "points", [1, 478, 3], 1)
    flag = graph.output("conv_faceflag")
    graph.graph.outputs = [graph.reshape(joined, "landmarks", [1, 1, 1, 478 * 3]), flag]


def placeholder_blendshapes() -> bytes:
    """A model with the blendshape model's input (1, 146, 2) and output (52,) that returns its first 52 inputs."""
    from mediapipe.tasks.metadata import schema_py_generated as schema

    tree, main = schema.ModelT(), schema.SubGraphT()
    tree.version, tree.description = 3, "placeholder: returns its first 52 inputs"
    tree.buffers, tree.operatorCodes, tree.subgraphs = [schema.BufferT()], [], [main]
    main.name, main.tensors, main.operators = "main", [], []
    graph = Graph(tree)
    points = graph.tensor("input_points", [1, 146, 2])
    first = graph.slice(graph.reshape(points, "flat", [1, 292]), "first", [1, 52])
    main.inputs, main.outputs = [points], [graph.reshape(first, "out", [52])]
    return _packed(tree, b"TFL3")


def _packed(tree: Any, mark: bytes) -> bytes:
    """An object tree as a flatbuffer with the file identifier `mark`."""
    import flatbuffers  # type: ignore[import-untyped]

    builder = flatbuffers.Builder(0)
    builder.Finish(tree.Pack(builder), mark)
    return bytes(builder.Output())


def main() -> int:
    """The command: downloads unless a wheel is given, writes the bundles and says what it wrote."""
    parser = argparse.ArgumentParser(prog="python -m dataset.pose.models.rebuild", description=__doc__)
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {WHEEL}, if it has been downloaded already")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    asked = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            wheel = asked.wheel or download(Path(folder))
            for path in rebuild(wheel, asked.out):
                print(f"{sha256_file(path)}  {path}")
    except (ModelError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
