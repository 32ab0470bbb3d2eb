"""A closed-form start of a renderer: to know which token was said, and how to say one.

Each word piece's key looks for the two tokens before it, and its value says its own token, so
that a renderer begins to recite before it has learned anything.
"""

from __future__ import annotations

import torch
from torch import Tensor

from universal_memory.rendering.renderer import Renderer
from universal_memory.rendering.token_embeddings import TokenEmbeddings

SECOND = 0.5  # how loud the second token back is beside the first


def ridge(inputs: Tensor, outputs: Tensor, strength: float) -> Tensor:
    """Weights W [inputs, outputs] of outputs ≈ inputs·W; `strength` a sample."""
    gram = inputs.T @ inputs + strength * len(inputs) * torch.eye(inputs.shape[1])
    return torch.linalg.solve(gram, inputs.T @ outputs)


@torch.no_grad()
def start_keys(
    renderer: Renderer, inputs: Tensor, tokens: Tensor, before: Tensor, strength: float = 0.3
) -> tuple[float, float]:
    """Start `token` as whitened principal components of the model's input embeddings; `key_after`
    and `key_after_two` as ridge regressions from the adapted map's input to those of the token
    read there, and of the one before it.

    `inputs`: float32 [layers, samples, d_in]; `tokens`, `before`: int64 [samples], which tokens
    those are. Returns how often the right one of all the samples' tokens is nearest, of a held-out
    fifth, in the first adapted layer, for both.
    """
    embeddings = renderer.surroundings.embeddings
    usual = renderer.tokens[..., 0].unique()
    rows = embeddings.inputs(usual[usual >= 0]).cpu()
    _, singular, basis = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
    width = renderer.token.shape[1]
    whitening = basis[:width].T / (singular[:width] / len(rows) ** 0.5)
    renderer.token.copy_(whitening)
    scaled = inputs.float() * renderer.key_scale.cpu()
    first = _start_key(renderer.key_after, scaled, tokens, embeddings, whitening, strength)
    second = _start_key(renderer.key_after_two, scaled, before, embeddings, whitening, strength)
    renderer.key_after_two.mul_(SECOND)
    return first, second


def _start_key(
    key: Tensor,
    inputs: Tensor,
    tokens: Tensor,
    embeddings: TokenEmbeddings,
    whitening: Tensor,
    strength: float,
) -> float:
    kinds, which = tokens.unique(return_inverse=True)
    every = embeddings.inputs(kinds).cpu() @ whitening
    short = every[which]
    fitted = torch.arange(len(tokens)) % 5 > 0
    found = 0.0
    for at, seen in enumerate(inputs):
        weights = ridge(seen[fitted], short[fitted], strength)
        if at == 0:
            guess = (seen[~fitted] @ weights @ every.T).argmax(1)
            found = float((guess == which[~fitted]).float().mean())
        fired = (seen @ weights * short).sum(1).mean()
        # As loud at the right token as a random key of unit size is at any.
        key[at] = weights.T * (inputs.shape[-1] ** 0.5 / fired)
    return found


@torch.no_grad()
def start_words(renderer: Renderer, gain: float = 0.2, strength: float = 0.05) -> None:
    """Start `word` as what raises a token's logit and as few others as it can.

    That is not the token's output embedding, which raises those of all its neighbours, but the
    embedding times the inverse of the embeddings' covariance.
    """
    embeddings = renderer.surroundings.embeddings
    usual = renderer.tokens.unique()
    rows = embeddings.outputs(usual[usual >= 0]).cpu()
    covariance = rows.T @ rows / len(rows)
    ridge_ = strength * covariance.diagonal().mean() * torch.eye(len(covariance))
    whitening = torch.linalg.inv(covariance + ridge_)
    renderer.word.copy_(whitening / (rows @ whitening).std())
    renderer.word_gain.fill_(gain)
