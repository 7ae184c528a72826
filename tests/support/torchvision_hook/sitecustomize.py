"""For processes that a test starts with this folder on PYTHONPATH: torchvision imports without its binary.

As `import_torchvision` of tests/parity/conftest.py, when torchvision is imported and not before.
"""

import sys

OPERATORS = ("nms", "qnms")
_kept = []


class Hook:
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            library = torch.library.Library("torchvision", "FRAGMENT")
            for operator in OPERATORS:
                library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            _kept.append(library)


sys.meta_path.insert(0, Hook())
