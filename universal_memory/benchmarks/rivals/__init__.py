"""Rivals: other ways to remember than ours, one a file, all with the interface of `Rival`.

Members, in the order of the table:
    none: no memory.
    full-text: everything in the prompt, as much as the context takes.
    manner: the renderer's shared LoRA reads the right text.
    retrieval: the nearest texts by MiniLM, in the prompt.
    retrieval+manner: the same, read with the renderer's shared LoRA on.
    emem: the package `emem` as the retriever.
    kv-cache: the saved keys and values of the nearest text.
    soft-tokens: the best file's USV as input embeddings.
    lora: a LoRA fine-tuned for every episode.
    ours, ours shuffled: memory files, and the control.

To add one, write a file with a subclass of `Rival` and name it in `RIVALS`.
"""

from universal_memory.benchmarks.rivals.embodied import Embodied
from universal_memory.benchmarks.rivals.full_text import FullText
from universal_memory.benchmarks.rivals.manner import Manner
from universal_memory.benchmarks.rivals.nothing import Nothing
from universal_memory.benchmarks.rivals.ours import Ours, Shuffled
from universal_memory.benchmarks.rivals.retrieval import MannerRetrieval, Retrieval
from universal_memory.benchmarks.rivals.rival import (
    Answered,
    Asked,
    NotRunError,
    Parts,
    Rival,
    Settings,
)
from universal_memory.benchmarks.rivals.saved_cache import SavedCache
from universal_memory.benchmarks.rivals.soft import Soft
from universal_memory.benchmarks.rivals.tuned import Tuned

RIVALS: dict[str, type[Rival]] = {
    rival.name: rival
    for rival in (
        Nothing, FullText, Manner, Retrieval, MannerRetrieval, Embodied, SavedCache, Soft, Tuned,
        Ours, Shuffled,
    )
}  # fmt: skip

__all__ = ["RIVALS", "Answered", "Asked", "NotRunError", "Parts", "Rival", "Settings"]
