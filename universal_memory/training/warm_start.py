"""A closed-form start of a renderer's values.

Word embeddings of the text tower and output embeddings of a language model align linearly: one
ridge regression over the words that are single tokens in both finds the right one of thousands of
held-out words (design §6). A renderer that starts from it can say words it was never trained on.
"""

from __future__ import annotations

import torch
from torch import Tensor

from universal_memory.rendering.renderer import Renderer
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.text_tower import TextTower


def shared_words(tower: TextTower, language_model: LanguageModel) -> tuple[list[int], list[int]]:
    """Ids of the words that are one token in both vocabularies: (tower ids, model ids).

    A word counts as the model's token with a leading space, in lower case or capitalised.
    """
    vocabulary = tower.tokenizer.get_vocab()
    tower_ids, model_ids = [], []
    for word, index in sorted(vocabulary.items(), key=lambda entry: entry[1]):
        if not word.isalnum() or not word.isascii():
            continue
        for form in dict.fromkeys((word, word.capitalize())):
            tokens = language_model.tokenizer.encode(" " + form, add_special_tokens=False)
            if len(tokens) == 1:
                tower_ids.append(index)
                model_ids.append(tokens[0])
    return tower_ids, model_ids


def ridge(inputs: Tensor, outputs: Tensor, strength: float = 10.0) -> Tensor:
    """Weights W [inputs, outputs] of outputs ≈ inputs·W, in float64 inside, float32 outside."""
    x, y = inputs.double(), outputs.double()
    gram = x.T @ x + strength * torch.eye(x.shape[1], dtype=torch.float64)
    return torch.linalg.solve(gram, x.T @ y).float()


@torch.no_grad()
def start_values(
    renderer: Renderer,
    projection: Tensor,
    tower: TextTower,
    language_model: LanguageModel,
    layers: int = 4,
    gain: float = 5e-3,
) -> float:
    """Start the renderer's word map from the ridge regression, at work in the last `layers` layers.

    `projection`: [256, 384], the encoder's start (`UniversalEncoder.start_from_words`). `gain`: how
    loud, small enough to leave the base model's loss where it is. Returns the top-1 accuracy on a
    held-out tenth of the words.
    """
    tower_ids, model_ids = shared_words(tower, language_model)
    words = tower.model.embeddings.word_embeddings.weight[tower_ids]
    words = torch.nn.functional.layer_norm(words, (words.shape[1],))
    slots = torch.nn.functional.layer_norm((words - words.mean(0)) @ projection.T, (256,))
    head = language_model.model.get_output_embeddings().weight.float()
    targets = head[model_ids]
    targets = targets - targets.mean(0)
    held_out = torch.arange(len(model_ids)) % 10 == 0
    weights = ridge(slots[~held_out], targets[~held_out])
    predicted = torch.nn.functional.normalize(slots[held_out] @ weights, dim=-1)
    found = (predicted @ torch.nn.functional.normalize(targets, dim=-1).T).argmax(1)
    # Lower-case and capitalised forms share one input: either counts.
    tower_of = torch.tensor(tower_ids)
    accuracy = (tower_of[found] == tower_of[held_out]).float().mean()
    renderer.words.copy_(weights / weights.std() / len(weights) ** 0.5)
    renderer.words_gain[-layers:] = gain
    return float(accuracy)
