"""NegBench on video: MSR-VTT, four frames of each clip.

    negjax data suite --config configs/eval_msrvtt.py --files ~/negbench/videos --media-root ~/MSRVTT --data-dir data
    negjax eval --config configs/eval_msrvtt.py --model MODEL --data-dir data --out results/NAME

Files: NegBench's CSV files, linked from datasets.md of github.com/m1k2zoo/negbench (MIT). Clips: MSR-VTT's test videos
(the same page links a copy), all in the one folder --media-root; they are kept as they are, so that each of the three
sets is as large as the 1,000 clips.
Frames are resized as the published figures were made; --video-preprocess clip resizes and crops them as images are,
--frames N takes more of them. What to expect of OpenAI's ViT-B-32: R@5 50.6, negated R@5 45.8, questions 32.1."""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.tasks = {
        "msrvtt_retrieval": {"kind": "captions", "file": "msr_vtt_retrieval.csv"},
        "msrvtt_negated_retrieval": {"kind": "captions", "file": "msr_vtt_retrieval_rephrased_llama.csv"},
        "msrvtt_mcq": {"kind": "questions", "file": "msr_vtt_mcq_rephrased_llama.csv"},
    }
    config.frames = 4
    config.video_preprocess = "negbench"
    return config
