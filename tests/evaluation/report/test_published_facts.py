"""The published figures against a second table, typed from the project's notes on the paper and not from the code.

Columns and words are those of the notes: "a / b / c" are R@5, R-Neg@5 and MCQ, or positive, negative and hybrid.
"""

from negjax.evaluation.report.published import published_rows

COCO = "COCO_val_retrieval.csv"
COCO_NEG = "COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv"
COCO_MCQ = "COCO_val_mcq_llama3.1_rephrased.csv"
VOC_MCQ = "VOC2007_mcq_llama3.1_rephrased.csv"
VIDEO = "msr_vtt_retrieval.csv"
VIDEO_NEG = "msr_vtt_retrieval_rephrased_llama.csv"
VIDEO_MCQ = "msr_vtt_mcq_rephrased_llama.csv"

MAIN_TABLE = """
| CLIP B/32 | nothing | 54.8 / 48.0 / 39.2 | 50.6 / 45.8 / 32.1 |
| CLIP B/32 | CC12M   | 58.8 / 54.5 / 34.7 | 53.7 / 49.9 / 30.8 |
| CLIP B/32 | NegCap  | 58.5 / 57.8 / 47.3 | 54.1 / 53.5 / 41.5 |
| CLIP B/32 | NegFull | 54.2 / 51.9 / 54.4 | 46.9 / 43.9 / 44.9 |
| NegCLIP   | nothing | 68.7 / 64.4 / 28.6 | 53.7 / 51.0 / 27.3 |
| NegCLIP   | NegCap  | 68.6 / 67.5 / 40.4 | 56.5 / 54.6 / 39.8 |
| NegCLIP   | NegFull | 69.0 / 67.0 / 56.2 | 54.0 / 51.5 / 46.2 |
"""
BY_KIND_COCO_THEN_VOC = """
CLIP B/32: 69.1 / 6.8 / 39.3 and 82.6 / 3.3 / 59.0
NegCLIP: 51.6 / 16.1 / 17.1 and 75.4 / 5.7 / 40.4
ConCLIP: 14.4 / 33.5 / 24.5 and 24.6 / 23.0 / 56.7
"""
TOTALS_ON_VOC = (
    "CLIP B/32: 38.7, NegCLIP: 30.5, ConCLIP: 38.1, LAION-400M: 31.6, DataComp: 23.1, "
    "CLIP B/32 + NegFull: 54.8, NegCLIP + NegFull: 59.7"
)
BLIND_COCO_VOC_MSRVTT = """
rule: the longer affirmation | 55.8 | 42.2 | 51.0
bigrams, fitted on another set | 73.8 | 73.6 | 38 - 41
"""

Fact = tuple[str, str, str]  # model, file, metric


def numbers(cell: str) -> list[float]:
    return [float(number) for number in cell.split("/")]


def name_of(start: str, fine_tuned_on: str = "nothing") -> str:
    start = start.strip().replace("CLIP B/32", "CLIP ViT-B/32")
    return start if fine_tuned_on == "nothing" else f"{start} + {fine_tuned_on}"


def main_facts() -> dict[Fact, tuple[float, float]]:
    facts = {}
    for line in MAIN_TABLE.strip().splitlines():
        start, fine_tuned_on, coco, video = (cell.strip() for cell in line.strip("|").split("|"))
        files = (COCO, COCO_NEG, COCO_MCQ, VIDEO, VIDEO_NEG, VIDEO_MCQ)
        for file, figure in zip(files, numbers(coco) + numbers(video), strict=True):
            metric = "accuracy" if "mcq" in file else "image_retrieval_recall@5"
            facts[name_of(start, fine_tuned_on), file, metric] = (figure, figure)
    return facts


def kind_facts() -> dict[Fact, tuple[float, float]]:
    facts = {}
    for line in BY_KIND_COCO_THEN_VOC.strip().splitlines():
        name, figures = line.split(": ")
        for file, cell in zip((COCO_MCQ, VOC_MCQ), figures.split(" and "), strict=True):
            for kind, figure in zip(("positive", "negative", "hybrid"), numbers(cell), strict=True):
                facts[name_of(name), file, f"{kind}_accuracy"] = (figure, figure)
    return facts


def total_facts() -> dict[Fact, tuple[float, float]]:
    totals = (fact.split(": ") for fact in TOTALS_ON_VOC.split(", "))
    return {(name_of(name), VOC_MCQ, "accuracy"): (float(figure), float(figure)) for name, figure in totals}


def blind_facts() -> dict[Fact, tuple[float, float]]:
    facts = {}
    for line in BLIND_COCO_VOC_MSRVTT.strip().splitlines():
        name, *cells = line.split(" | ")
        for file, cell in zip((COCO_MCQ, VOC_MCQ, VIDEO_MCQ), cells, strict=True):
            low, _, high = cell.partition(" - ")
            facts[name, file, "accuracy"] = (float(low), float(high or low))
    return facts


def test_every_published_figure_equals_the_second_table():
    facts = main_facts() | kind_facts() | total_facts() | blind_facts()
    assert len(facts) == 42 + 18 + 7 + 6
    figures = {
        (row.name, file, metric): (round(100 * low, 2), round(100 * high, 2))
        for row in published_rows()
        for (file, metric), (low, high) in row.figures.items()
    }
    assert figures == facts
    blind = {row.name for row in published_rows() if row.blind}
    assert blind == {name for name, _, _ in blind_facts()}
