"""The code that travels to the device: Python 3.9, stdlib, numpy 1.19 and a TFLite runtime; imports nothing of ours."""
