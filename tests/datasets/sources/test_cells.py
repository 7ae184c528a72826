"""Lists in cells, as Python, NumPy, pandas and JSON write them; what they mean is told by those libraries."""

import json

import numpy as np
import pytest

from negjax.datasets.sources.cells import objects, texts

LISTS = [
    ["a cat", "a dog"],
    ["it's", 'say "no"', "both ' and \""],
    ["", "a\nb\tc", "back\\slash", "é 日本 😀"],
    ["'a' 'b'"],
    ["[", "]", "', '"],
    ["one"],
]


@pytest.mark.parametrize("value", LISTS)
@pytest.mark.parametrize(
    "write",
    [
        repr,
        lambda value: repr(tuple(value)),
        json.dumps,
        lambda value: json.dumps(value, ensure_ascii=False),
        lambda value: json.dumps(value).replace("/", "\\/"),
        lambda value: json.dumps(value, indent=1),
        lambda value: (
            "[" + ", ".join("'''" + text.replace("\\", "\\\\").replace("'", "\\'") + "'''" for text in value) + "]"
        ),
        lambda value: f"  {value!r}\n",
    ],
)
def test_lists_as_python_and_json_write_them(value, write):
    assert texts({"captions": write(value)}, "captions") == value


def test_escapes_of_json_are_read_as_json():
    assert texts({"captions": r'["a\/b \ud83d\ude00"]'}, "captions") == ["a/b 😀"]


@pytest.mark.parametrize(
    "cell",
    [
        str(np.array(["a cat", "a dog"])),
        str(np.array(["a", "b", "c"], object)),
        str(np.array(["x" * 60, "it's", "y" * 60])),  # with line breaks, and both kinds of quotes
        "['a cat' 'a dog', 'a cow']",
        '["a cat" "a dog"]',
        "['a', 'b''c']",
        "[('a' 'b'), 'c']",
        "['a'\n# remark\n'b']",
        "['a' u'b']",
    ],
)
def test_texts_without_a_comma_between_them_are_refused(cell):
    """Python would join them to one text."""
    with pytest.raises(
        ValueError, match=r"column captions has texts without a comma between them, as NumPy prints"
    ) as e:
        texts({"captions": cell}, "captions")
    assert "array.tolist()" in str(e.value)
    with pytest.raises(ValueError, match="without a comma"):
        objects({"positive_objects": cell}, "positive_objects")


@pytest.mark.parametrize(
    "cell", ['["a", null]', '{"a": 1}', '["a", "b"', '["a": "b"]', "['a' ... 'b']", "'a' 'b'", '"a"']
)
def test_what_is_no_list_of_texts(cell):
    with pytest.raises(ValueError, match="column captions is not a Python or JSON list of texts"):
        texts({"captions": cell}, "captions")
