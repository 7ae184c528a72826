"""The charts of affirmation bias."""

import base64
import re
from xml.etree import ElementTree

import pytest
from support.report_runs import add_task, make_runs, write_page

from negjax.errors import NegjaxError


@pytest.fixture
def folders(tmp_path):
    return make_runs(tmp_path)


def test_the_picture_of_affirmation_bias(folders, tmp_path):
    bias = {"text_separation": 0.125, "image_separation": 0.5}
    task = {"kind": "affirmation", "n": 2, "metrics": {"accuracy": 0.5}, "affirmation_bias": bias}
    asked = "id,group,kind,answer,predicted,score_0,score_1,image\n0,0,a,0,0,1,0,0\n1,0,b,1,0,1,0,1\n"
    add_task(folders[0], "affirm", task, asked)
    points = "object,template,x,y,text\ndog,affirmation,0,0,a dog\ndog,negation,1,0.5,no dog\n"
    (folders[0] / "predictions/affirm.bias.csv").write_text(points)
    text, _ = write_page(folders, tmp_path)
    assert "before, affirm" in text
    assert "text separation 0.125; image separation 0.500" in text
    svg = re.search(r'alt="before, affirm"', text)
    source = re.findall(r'base64,([A-Za-z0-9+/=]+)" alt="before, affirm"', text)
    assert svg
    assert ElementTree.fromstring(base64.b64decode(source[0])).tag.endswith("svg")
    (folders[0] / "predictions/affirm.bias.csv").write_text(points.replace("0.5", "high"))
    with pytest.raises(NegjaxError, match=r"affirm\.bias\.csv is damaged"):
        write_page(folders, tmp_path)
