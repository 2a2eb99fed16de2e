"""How an autoencoder is judged: by its reconstruction error, which is to be larger for anomalies."""

from sklearn.metrics import roc_auc_score

from harness.metrics import scored

THRESHOLD = 0.03  # an error over it is an anomaly: 97 % of the example's training pictures are under it


def errors(outputs, inputs):
    """Mean squared error of each sample. outputs: what the model makes of its inputs, of their shape."""
    return ((outputs - inputs) ** 2).reshape(len(outputs), -1).mean(axis=1)


@scored("told_apart", unit="fraction", better="higher")
def told_apart(labels, outputs, inputs):
    """Of each sample whether the model is right about it: one answer a sample decides with the fewest samples."""
    return (errors(outputs, inputs) > THRESHOLD) == (labels == 1)


@scored("anomaly_auc", unit="fraction", better="higher")
def anomaly_auc(labels, outputs, inputs):
    """One number for all samples, whatever the threshold is. labels: 0 or 1 a sample."""
    return roc_auc_score(labels, errors(outputs, inputs))
