"""What is measured of a case, each metric once: name, unit, which way is better, against what, how.

    registry.py   a metric is a function from an Observation to an Estimate; compare.py calls those that fit the task
    latency.py, process.py, outputs.py   the metrics
    detected.py   metrics of detections; detection_rows.py: how far a picture's detections lie from the baseline's
    multilabel.py samples with several labels, each 0 or 1
    keypoints.py  keypoints of one object a picture: COCO's similarity, and points that are right
    anomaly.py    anomaly detection: the area under ROC of reconstruction errors, or of one number a sample
    transcription.py   texts: word and character error rate
    embedding.py  vectors with identities: recall at k, equal error rate
    maps.py       depth and other maps: δ1 and the relative error
    scores.py     metrics of labels and outputs whose limits come from resampling, a user's own among them
    fitting.py    which of those a run asks for, and whether they fit its data; scoring.py: what they find

To add one, write its function in the module it belongs to; report and gate read the rows.
"""

from harness.metrics import (
    anomaly,
    detected,
    embedding,
    keypoints,
    latency,
    maps,
    multilabel,
    outputs,
    process,
    segmentation,
    transcription,
)
from harness.metrics.process import anonymous_growth
from harness.metrics.registry import METRICS, Estimate, Metric, Observation
from harness.metrics.scores import scored

__all__ = [
    "METRICS", "Estimate", "Metric", "Observation", "anomaly", "anonymous_growth", "detected", "embedding", "keypoints",
    "latency", "maps", "multilabel", "outputs", "process", "scored", "segmentation", "transcription",
]  # fmt: skip
