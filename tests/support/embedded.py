"""Counts what a run embeds."""

import pytest

from negjax.search import embed_files


def count_embedded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of media that are encoded from now on."""
    counts: list[int] = []
    encode = embed_files.encode_media

    def counted(model, media, index_N, batch_size):
        counts.append(int((index_N >= 0).sum()))
        return encode(model, media, index_N, batch_size)

    monkeypatch.setattr(embed_files, "encode_media", counted)
    return counts
