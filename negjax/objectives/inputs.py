"""The arrays that a batch may hold for the objectives, and which tower encodes each: one table.

Shapes are written with one letter per axis: B rows of the batch, S the side of an image, C its 3 channels, A the 6
numbers of a change of colours, T tokens, N hard negatives (several for each row), G groups of rows that share their
options, O options of a question.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class InputSpec:
    """One input of the objectives.

    Attributes:
        axes: shape in a batch, one letter per axis; empty for inputs that are in no batch.
        dtype: type in a batch.
        tower: the tower that encodes it, "visual" or "text"; empty for inputs that a loss uses directly.
        changes: the input whose pixels it changes before they are encoded; empty for none.
        teacher_of: the input whose embeddings by the teacher, `model.init_from`, these are; empty for none.
        field: the field of a data set that it needs, empty for images. For "text" a set of questions, or with negated
            captions, may replace "captions".
        setting: the property of a `negjax.config.Source` that adds it to a batch; empty for inputs that are in a batch
            exactly if an objective of the source needs them.
    """

    axes: str = ""
    dtype: str = ""
    tower: str = ""
    changes: str = ""
    teacher_of: str = ""
    field: str = ""
    setting: str = ""


# In the order in which the towers encode them.
INPUTS = {
    "image": InputSpec("BSSC", "uint8", tower="visual"),
    "augment": InputSpec("BA", "float32", changes="image", setting="recolors"),
    "text": InputSpec("BT", "int32", tower="text", field="captions"),
    "negative_text": InputSpec("NT", "int32", tower="text", field="question", setting="hard_negatives"),
    "negated_text": InputSpec("BT", "int32", tower="text", field="negated_captions"),
    "hybrid_text": InputSpec("BT", "int32", tower="text", field="captions"),
    "denial_text": InputSpec("BT", "int32", tower="text", field="captions"),
    "options": InputSpec("GOT", "int32", tower="text", field="question"),
    "answer": InputSpec("B", "int32", field="question"),
    "teacher_image": InputSpec(teacher_of="image"),
    "teacher_text": InputSpec(teacher_of="text"),
    "teacher_options": InputSpec(teacher_of="options"),
}
