"""Small tokenizers in the constructions of BERT, RoBERTa, XLM-R, NLLB and SigLIP, saved by transformers."""

import io
import json
import shutil
from pathlib import Path

import sentencepiece
import tokenizers
import transformers

TEXTS = [
    "a kitchen with no people",
    "there is no dog but a cat and two umbrellas",
    "the crème brûlée isn't in the picture",
    "寿司 пельмени قطة",
    "a photo of a fire hydrant without a Man",
] * 40


def bert(folder: Path) -> Path:
    backend = tokenizers.BertWordPieceTokenizer(lowercase=True)
    backend.train_from_iterator(TEXTS, vocab_size=300, show_progress=False)
    transformers.BertTokenizer(vocab=backend.get_vocab()).save_pretrained(folder)
    return folder


def roberta(folder: Path) -> Path:
    backend = tokenizers.ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    backend.train_from_iterator(TEXTS, vocab_size=400, special_tokens=special, show_progress=False)
    folder.mkdir(exist_ok=True)
    backend.save_model(str(folder))
    transformers.RobertaTokenizer.from_pretrained(folder).save_pretrained(folder)
    return folder


def xlm_roberta(folder: Path) -> Path:
    model = io.BytesIO()
    special = {"bos_id": 0, "pad_id": 1, "eos_id": 2, "unk_id": 3}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_writer=model,
        vocab_size=55,
        model_type="unigram",
        minloglevel=2,
        **special,
    )
    folder.mkdir(exist_ok=True)
    (folder / "sentencepiece.bpe.model").write_bytes(model.getvalue())
    transformers.XLMRobertaTokenizer.from_pretrained(folder).save_pretrained(folder)
    return folder


def nllb(folder: Path) -> Path:
    """Its tokenizer.json is changed as those on the hub are: the class overrides the post-processor and the splits."""
    model = io.BytesIO()
    special = {"bos_id": 0, "pad_id": 1, "eos_id": 2, "unk_id": 3}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=model, vocab_size=90, model_type="bpe", minloglevel=2, **special
    )
    folder.mkdir(exist_ok=True)
    (folder / "sentencepiece.bpe.model").write_bytes(model.getvalue())
    languages = ["eng_Latn", "fra_Latn", "jpn_Jpan"]
    tokenizer = transformers.NllbTokenizer.from_pretrained(folder, additional_special_tokens=languages)
    tokenizer.save_pretrained(folder)
    data = json.loads((folder / "tokenizer.json").read_text())
    data["post_processor"]["single"].append(data["post_processor"]["single"].pop(0))
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    data["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]}
    (folder / "tokenizer.json").write_text(json.dumps(data))
    return folder


def t5(folder: Path, **more) -> Path:
    """SigLIP's, as open_clip's folders name it: with extra_ids=0 and pad_token="</s>"."""
    _write_pieces(folder, "spiece.model", 90, model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    transformers.T5Tokenizer.from_pretrained(folder, **more).save_pretrained(folder)
    return folder


def siglip(folder: Path) -> Path:
    """SigLIP's: transformers saves its sentencepiece model, beside which the folders of the hub have tokenizer.json."""
    t5(folder / "t5", extra_ids=0, pad_token="</s>")
    _write_pieces(folder, "spiece.model", 90, model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    transformers.SiglipTokenizer.from_pretrained(folder).save_pretrained(folder)
    shutil.move(folder / "t5" / "tokenizer.json", folder / "tokenizer.json")
    shutil.rmtree(folder / "t5")
    return folder


def siglip2(folder: Path) -> Path:
    """SigLIP 2's, which is Gemma's in lower case."""
    special = {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3, "eos_piece": "<eos>", "bos_piece": "<bos>"}
    how = {"byte_fallback": True, "add_dummy_prefix": False, "normalization_rule_name": "identity"}
    _write_pieces(folder, "tokenizer.model", 400, model_type="bpe", **special, **how)
    transformers.Siglip2Tokenizer.from_pretrained(folder, add_bos_token=False, add_eos_token=True).save_pretrained(
        folder
    )
    return folder


def _write_pieces(folder: Path, name: str, size: int, **how) -> None:
    """A sentencepiece model of up to so many pieces."""
    model = io.BytesIO()
    how |= {"vocab_size": size, "hard_vocab_limit": False, "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TEXTS), model_writer=model, **how)
    folder.mkdir(exist_ok=True, parents=True)
    (folder / name).write_bytes(model.getvalue())
