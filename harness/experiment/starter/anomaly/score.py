"""How an autoencoder is judged: by its reconstruction error, which is to be larger for anomalies."""

from sklearn.metrics import roc_auc_score

from harness.metrics import scored


@scored("anomaly_auc", unit="fraction", better="higher")
def anomaly_auc(labels, outputs, inputs):
    """labels: 0 or 1 a sample; outputs: what the model makes of its inputs, of their shape."""
    errors = ((outputs - inputs) ** 2).reshape(len(labels), -1).mean(axis=1)
    return roc_auc_score(labels, errors)
