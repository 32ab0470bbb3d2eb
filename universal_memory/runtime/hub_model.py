"""Models of the Hugging Face hub: taken from its cache on this machine, else fetched once.

Only names of the form OWNER/NAME are looked for, so that a mistyped name of a packaged model never
goes out to the network.
"""

from __future__ import annotations

import re
from pathlib import Path

from transformers.utils.hub import constants, snapshot_download

WEIGHTS = ("*.safetensors", "*.bin")  # the second where a repository has none of the first
_BESIDE = ["*.json", "*.txt", "*.model", "*.jinja"]
_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


class HubModelError(FileNotFoundError):
    """The model is not in the cache and cannot be fetched; the message has the remedy."""


def is_hub_id(name: str) -> bool:
    """Whether `name` may be that of a model on the hub: OWNER/NAME."""
    return _ID.fullmatch(name) is not None


def hub_folder(name: str) -> Path:
    """Folder with the Hugging Face files of the hub's model `name`. Raises HubModelError."""
    reason = "it has no weights"
    for cached in (True, False):
        for weights in WEIGHTS:
            try:
                found = snapshot_download(
                    name, allow_patterns=[*_BESIDE, weights], local_files_only=cached
                )
            except (OSError, ValueError) as error:
                reason = str(error).partition("\n")[0]
                break
            if (Path(found) / "config.json").is_file() and any(Path(found).glob(weights)):
                return Path(found)
    raise HubModelError(
        f"no folder {name}; as a model of the Hugging Face hub it is not in the cache"
        f" {constants.HF_HUB_CACHE} and cannot be fetched: {reason}; remedy: where there is"
        f" internet, `hf download {name} --local-dir FOLDER`, and name the FOLDER here (a model"
        " with a licence to accept needs `hf auth login` first)"
    )
