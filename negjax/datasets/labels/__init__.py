"""Object labels of images as other people's files have them: COCO, Pascal VOC, CheXpert, a table."""
