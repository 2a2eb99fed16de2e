"""Pictures with objects and detections of them, and what COCO's own evaluator says of these."""

from __future__ import annotations

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

NO_BOX = (0, 0, 0, 0, 0, -1)


def pictures(count: int, seed: int = 0, classes: int = 4, crowds: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Objects and detections: shifted boxes, some of another class, some twice, scores in steps, so that many tie."""
    rng = np.random.default_rng(seed)
    objects, found = np.zeros((count, 6, 6)), np.zeros((count, 14, 6), np.float32)
    objects[..., 4], found[..., 5] = -1, -1
    for n in range(count):
        row = 0
        for m in range(rng.integers(0, 7)):
            (x, y), (w, h), label = rng.uniform(0, 60, 2), rng.uniform(5, 30, 2), rng.integers(0, classes)
            objects[n, m] = (x, y, x + w, y + h, label, rng.random() < crowds)
            for _ in range(rng.integers(0, 3)):
                box = np.array([x, y, x + w, y + h]) + rng.normal(0, 0.15, 4) * [w, h, w, h]
                said = label if rng.random() < 0.8 else rng.integers(0, classes)
                found[n, row] = (*box, np.round(rng.random(), 2) + 0.01, said)
                row += 1
    return objects, found


def cocos(objects: np.ndarray, found: np.ndarray) -> tuple[float, float, float]:
    """AP, AP50 and AR100 as faster-coco-eval has them."""
    annotations = [
        {"id": k + 1, "image_id": int(n) + 1, "category_id": int(o[4]) + 1, "bbox": as_coco(o), "iscrowd": int(o[5])}
        | {"area": float((o[2] - o[0]) * (o[3] - o[1]))}
        for k, (n, o) in enumerate(rows_of(objects, objects[..., 4] >= 0))
    ]
    said = [
        {"image_id": int(n) + 1, "category_id": int(d[5]) + 1, "bbox": as_coco(d), "score": float(d[4])}
        for n, d in rows_of(found.astype(np.float64), found[..., 4] > 0)
    ]
    labels = range(1, 2 + int(max(objects[..., 4].max(), found[..., 5].max())))
    images = [{"id": n + 1, "width": 100, "height": 100} for n in range(len(objects))]
    categories = [{"id": n, "name": str(n)} for n in labels]
    truth = COCO({"images": images, "annotations": annotations, "categories": categories})
    coco = COCOeval_faster(truth, truth.loadRes(said), "bbox", print_function=lambda *_: None)
    coco.evaluate()
    coco.accumulate()
    coco.summarize()
    return coco.stats[0], coco.stats[1], coco.stats[8]


def rows_of(table: np.ndarray, there: np.ndarray) -> list[tuple[int, np.ndarray]]:
    return [(n, row) for n in range(len(table)) for row in table[n][there[n]]]


def as_coco(row: np.ndarray) -> list[float]:
    return [row[0], row[1], row[2] - row[0], row[3] - row[1]]
