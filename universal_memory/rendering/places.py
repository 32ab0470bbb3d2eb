"""The places of a decoder that a renderer writes to, as a YAML file names them.

For an architecture that inspection does not know (`rendering.architecture`). All keys are optional;
what is left out is found by inspection:

    blocks: transformer.h     # the list of decoder blocks, from the model
    target: mlp.fc_out        # in a block: the linear map into the residual stream that is adapted
    attention: attn           # in a block: its attention, which is called with the hidden states
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

HELP = "docs/new_model.md has an example"
_PATH = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


class ArchitectureFileError(ValueError):
    """The YAML file of an architecture says something else than places."""


@dataclass(frozen=True)
class Places:
    """Dotted module paths: `blocks` from the model, `target` and `attention` within a block.

    None: as found by inspection.
    """

    blocks: str | None = None
    target: str | None = None
    attention: str | None = None

    @classmethod
    def load(cls, path: Path) -> Places:
        """Read a YAML file. Raises ArchitectureFileError with the bad key or value."""
        try:
            value = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            reason = error.strerror or error
            raise ArchitectureFileError(f"cannot read {path}: {reason}; {HELP}") from error
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise ArchitectureFileError(f"{path} is not YAML: {error}; {HELP}") from error
        return cls.of(value, str(path))

    @classmethod
    def of(cls, value: Any, where: str) -> Places:
        """The places in a mapping. Raises ArchitectureFileError, which names `where` it is from."""
        keys = [field.name for field in fields(cls)]
        if not isinstance(value, dict) or not value:
            raise ArchitectureFileError(
                f"{where} holds {value!r:.80}, not a mapping of {', '.join(keys)}; {HELP}"
            )
        for key, one in value.items():
            if key not in keys:
                raise ArchitectureFileError(
                    f"{where} has the key {key!r:.80}; there are only {', '.join(keys)}; {HELP}"
                )
            if not isinstance(one, str) or not _PATH.fullmatch(one):
                raise ArchitectureFileError(
                    f"{key} in {where} is {one!r:.80}, not names joined by dots; {HELP}"
                )
        return cls(**value)

    def __str__(self) -> str:
        """As YAML on one line; what is not known is "..."."""
        given = (f"{name}: {place or '...'}" for name, place in asdict(self).items())
        return f"{{{', '.join(given)}}}"
