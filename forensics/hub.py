"""Detectors on a hub of models: taken from there, and put there with their card.

    detector = from_pretrained("studio/detector", revision="v1")        or a folder that fakedetect train has written
    push_to_hub(detector, "studio/detector")

The files are those of `Detector.save`: safetensors, and JSON that names their hash. Nothing is unpickled, and weights
that are not the ones named are refused. The hash in the JSON comes from the same place as the weights; whoever wants
to be sure of getting what somebody else has used names it with `weights_sha256`, or a commit as `revision`.

The token is the one that huggingface_hub finds (``HF_TOKEN``, or what ``hf auth login`` stored).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jinja2
from huggingface_hub import ModelCard, ModelHubMixin, hf_hub_download

from dataset.errors import HubError, ModelError
from dataset.files import write_json
from dataset.hub.client import quiet, scrub
from dataset.provenance import VERSION
from forensics.detectors import Detector, load_detector
from forensics.detectors.base import CONFIG_FILE, WEIGHTS_FILE, read_settings
from forensics.detectors.registry import DEFAULT_FOLDER

#: The card of the detector that ships with the package.
DEFAULT_CARD = Path(__file__).parents[1] / "cards" / "detector.md"

T = TypeVar("T")


class HubDetector(
    ModelHubMixin,
    library_name="danceproof",
    license="apache-2.0",
    pipeline_tag="video-classification",
    tags=["deepfake-detection", "video-forensics", "motion-transfer"],
):
    """A detector with the methods of huggingface_hub's mixin: `from_pretrained`, `save_pretrained`, `push_to_hub`.

    >>> HubDetector(detector, card="…").push_to_hub("studio/detector")
    >>> HubDetector.from_pretrained("studio/detector").detector.judge(evidence)

    Attributes:
        detector: what it holds.
        card: the model card, Markdown without a header; None for one written from what the detector knows of itself.
    """

    def __init__(self, detector: Detector, *, card: str | None = None) -> None:
        self.detector = detector
        self.card = card

    def _save_pretrained(self, save_directory: Path) -> None:
        self.detector.save(save_directory)
        # The hub counts downloads by this file, and others look into it first.
        write_json(
            save_directory / "config.json",
            {
                "library": f"danceproof {VERSION}",
                "detector": self.detector.name,
                "weights_sha256": self.detector.weights_sha256,
            },
        )

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **_: Any,
    ) -> HubDetector:
        if Path(model_id).is_dir():
            return cls(load_detector(model_id))
        places = [
            hf_hub_download(
                model_id,
                name,
                revision=revision,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
                token=token,
                library_name="danceproof",
                library_version=VERSION,
            )
            for name in (CONFIG_FILE, WEIGHTS_FILE)
        ]
        return cls(load_detector(Path(places[0]).parent))

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """The card, with the header that the hub reads."""
        text = self.card if self.card is not None else _card(self.detector)
        return ModelCard(f"---\n{self._hub_mixin_info.model_card_data.to_yaml()}\n---\n\n{text}")


def from_pretrained(
    name: str | Path,
    *,
    revision: str | None = None,
    weights_sha256: str | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
) -> Detector:
    """A detector from a folder or from a hub.

    >>> from_pretrained("studio/detector", revision="v1").name
    'patch'

    Args:
        name: a folder, or ``ORG/NAME`` on the hub that ``HF_ENDPOINT`` names.
        revision: branch, tag or commit.
        weights_sha256: the hash that the weights must have.
        cache_dir: where downloads are kept; huggingface_hub's place if None.
        local_files_only: download nothing, take what is there from before.

    Raises:
        ModelError: it is no detector, it is damaged, or not the one that was asked for.
        HubError: it cannot be fetched.
    """
    if Path(name).is_dir():
        detector = load_detector(name)
    else:
        detector = _asked(
            f"fetching {name}",
            lambda: HubDetector.from_pretrained(
                str(name), revision=revision, cache_dir=cache_dir, local_files_only=local_files_only
            ),
        ).detector
    if weights_sha256 is not None and detector.weights_sha256 != weights_sha256:
        raise ModelError(
            f"the weights have the SHA-256 {detector.weights_sha256[:16]}…, not {weights_sha256[:16]}… as asked for",
            path=name,
        )
    return detector


def named(name: str | None) -> Detector:
    """What ``--model`` names: a folder, ``ORG/NAME`` or ``ORG/NAME@REVISION`` on a hub, or None for what ships.

    Raises:
        ModelError, HubError: as `from_pretrained`.
    """
    if name is None or Path(name).is_dir():
        return load_detector(name)
    model_id, _, revision = name.partition("@")
    return from_pretrained(model_id, revision=revision or None)


def pinned(name: str | None) -> str | None:
    """A name for `named` that means the same tomorrow and in other processes: of a hub, with the commit.

    Raises:
        HubError: as `from_pretrained`.
    """
    if name is None or Path(name).is_dir():
        return name
    model_id, _, revision = name.partition("@")
    place = _asked(
        f"{model_id} is no folder here; fetching it from the hub",
        lambda: hf_hub_download(model_id, CONFIG_FILE, revision=revision or None),
    )
    # huggingface_hub keeps files in ``snapshots/COMMIT``.
    return f"{model_id}@{Path(place).parent.name}"


def push_to_hub(
    detector: Detector,
    repo_id: str,
    *,
    card: str | None = None,
    private: bool | None = None,
    branch: str | None = None,
    message: str = "Add a detector",
) -> str:
    """Put a detector on the hub, with its card, in one commit.

    Args:
        detector: trained.
        repo_id: ``ORG/NAME``; made if it is not there.
        card: the model card in Markdown, without a header; if None, that of the package for the detector that ships
            with it, and for any other one written from what it knows of itself.
        private: of a new repository.
        branch: "main" if None.
        message: of the commit.

    Returns:
        The address of the commit.

    Raises:
        HubError: the hub refuses or cannot be reached.
    """
    wrapped = HubDetector(detector, card=card)
    return str(
        _asked(
            f"pushing to {repo_id}",
            lambda: wrapped.push_to_hub(repo_id, private=private, branch=branch, commit_message=message),
        )
    )


def _card(detector: Detector) -> str:
    """The card of the package for its own detector; the tables in it are of no other."""
    if (DEFAULT_FOLDER / CONFIG_FILE).is_file():
        shipped = read_settings(DEFAULT_FOLDER)["weights_sha256"]
        if detector.weights_sha256 == shipped:
            return DEFAULT_CARD.read_text("utf-8")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cards", package_path=""),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown
    )
    return environment.get_template("trained_detector.md.j2").render(detector=detector, version=VERSION)


def _asked(doing: str, ask: Callable[[], T]) -> T:
    """What the hub gives; its errors as one line without secrets."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        LocalTokenNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    # Errors of its HTTP library, whose name changes from release to release, come through; they share this base.
    family: type[Exception] = HfHubHTTPError.__bases__[0]
    try:
        with quiet():
            return ask()
    except HFValidationError as error:
        raise HubError(
            f"{doing}: no folder of that name, and no name of a repository ({scrub(str(error))})",
            hint="write a folder, or ORG/NAME",
        ) from None
    except LocalEntryNotFoundError:
        raise HubError(f"{doing}: it is not there, and the hub cannot be reached", hint="try again") from None
    except LocalTokenNotFoundError:
        raise HubError(f"{doing}: there is no token", hint="type: hf auth login") from None
    except RepositoryNotFoundError:
        raise HubError(
            f"{doing}: there is no such model, or the token may not see it",
            hint="check the name, and who you are: hf auth whoami",
        ) from None
    except (RevisionNotFoundError, EntryNotFoundError) as error:
        what = "revision" if isinstance(error, RevisionNotFoundError) else "detector in it"
        raise HubError(f"{doing}: there is no such {what}") from None
    except HfHubHTTPError as error:
        said = scrub(error.server_message or "").rstrip(".")
        status = error.response.status_code
        raise HubError(f"{doing}: the hub answers {status} ({said or 'no reason given'})") from None
    except OSError as error:
        # huggingface_hub's word for a file that came shorter or longer than announced; a full disk has a number.
        if error.errno is not None or isinstance(error, ConnectionError):
            raise
        raise HubError(f"{doing}: a file did not arrive as announced", hint="try again") from None
    except family as error:
        raise HubError(
            f"{doing}: the hub cannot be reached ({type(error).__name__})", hint="try again"
        ) from None
