"""What finds objects: boxes, how a model's outputs become detections, and which detection is of which object.

    boxes      formats of boxes, how far two overlap, and the suppression of those that overlap
    decoders   outputs of a model → detections
    objects    labels of pictures as people have them → objects
    matching   detections ↔ objects as COCO does it, and one model's detections ↔ another's
    points     outputs and labels → the keypoints of one object, and their similarity as COCO has it

Detections are float32 (pictures, D, 6): x1, y1, x2, y2, score, class. Objects are (pictures, M, 6): x1, y1, x2, y2,
class, crowd. Rows that hold nothing have score 0 and class −1. Boxes are in pixels of the model's input where
[detection] size says how large that is, else in shares of the picture's width and height.
"""
